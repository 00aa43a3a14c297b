//! THE DERIVATIVE TABLE: for each op, the ops that carry the gradient of its output to its inputs.

use crate::op::{Op, Term, Zip};
use crate::tape::Tape;
use crate::val::Val;
use crate::{Error, Result};

/// Pushes the ops that turn `g`, the gradient of the op's output, into gradients of its inputs. `inputs` are in the
/// order of the tape method's arguments.
pub(crate) fn derivative(tape: &mut Tape, op: Op, inputs: &[Val], g: Val) -> Result<()> {
    let dy = tape.view(g)?.clone();
    match op {
        Op::Dense { x, w, b, .. } => {
            let dz = dy;
            tape.contribute(inputs[0], |dx| Op::DenseDx { dz: dz.clone(), w, dx })?;
            tape.contribute(inputs[1], |dw| Op::DenseDw { dz: dz.clone(), x, dw })?;
            match b {
                Some(_) => tape.contribute(inputs[2], |db| Op::DenseDb { dz, db }),
                None => Ok(()),
            }
        }
        // All three products are linear in each factor, and the derivative of one is made of the other two.
        Op::DenseDx { dz, w, .. } => {
            tape.contribute(inputs[0], |y| Op::Dense { x: dy.clone(), w, b: None, y })?;
            tape.contribute(inputs[1], |dw| Op::DenseDw { dz, x: dy, dw })
        }
        Op::DenseDw { dz, x, .. } => {
            tape.contribute(inputs[0], |y| Op::Dense { x, w: dy.clone(), b: None, y })?;
            tape.contribute(inputs[1], |dx| Op::DenseDx { dz, w: dy, dx })
        }
        Op::DenseDb { .. } => tape.contribute(inputs[0], |y| Op::Rows { v: dy, y }),
        Op::Rows { .. } => tape.contribute(inputs[0], |db| Op::DenseDb { dz: dy, db }),
        Op::Map { f, x, .. } => tape.contribute(inputs[0], |dx| Op::MapGrad { f, x, dy, dx }),
        Op::Zip { f: Zip::Add, .. } => tape.pass(inputs[0], g).and_then(|()| tape.pass(inputs[1], g)),
        Op::Zip { f: f @ Zip::Mul, a, b, .. } => {
            tape.contribute(inputs[0], |da| Op::Zip { f, a: dy.clone(), b, y: da })?;
            tape.contribute(inputs[1], |db| Op::Zip { f, a: dy, b: a, y: db })
        }
        Op::Axpy { factor, .. } => {
            tape.pass(inputs[0], g)?;
            tape.contribute(inputs[1], |db| Op::Scale { x: dy, y: db, factor })
        }
        Op::Clamp { x, lo, hi, .. } => tape.contribute(inputs[0], |dx| Op::ClampGrad { x, dy, dx, lo, hi }),
        Op::Reduce { f, x, other, scale, .. } => {
            let scale = f.slope() * scale;
            let grad = |x, other| move |dx| Op::ReduceGrad { f, x: f.grad_takes_x().then_some(x), other, dy, dx, scale };
            match (f, other) {
                // (x - t)^2 is symmetric, so the target's gradient is the same op with the two swapped.
                (Term::Mse, Some(target)) => {
                    let again = grad.clone();
                    tape.contribute(inputs[0], grad(x.clone(), Some(target.clone())))?;
                    tape.contribute(inputs[1], again(target, Some(x)))
                }
                // `Tape::bce_with_logits` rejects targets that need a gradient.
                (Term::Sum | Term::SquareSum | Term::Mse | Term::Bce, other) => tape.contribute(inputs[0], grad(x, other)),
            }
        }
        Op::Scale { factor, .. } => tape.contribute(inputs[0], |dx| Op::Scale { x: dy, y: dx, factor }),
        // The same mask, drawn again.
        Op::Mask { clock, keep, factor, stream, .. } => {
            tape.contribute(inputs[0], |dx| Op::Mask { x: dy, clock, y: dx, keep, factor, stream })
        }
        // These produce data; nothing that is differentiated goes into them.
        Op::Gather { .. } | Op::Uniform { .. } | Op::Normal { .. } | Op::Fill { .. } => Ok(()),
        Op::MapGrad { .. }
        | Op::ClampGrad { .. }
        | Op::ReduceGrad { .. }
        | Op::Clip { .. }
        | Op::Copy { .. }
        | Op::Advance { .. }
        | Op::Store { .. }
        | Op::Adam { .. } => {
            let remedy = "Take gradients of a loss that is not itself made of gradients.";
            Err(Error::op(op.name(), "it has no derivative", remedy))
        }
    }
}
