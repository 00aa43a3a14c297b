//! THE DERIVATIVE TABLE: for each op, the ops that carry the gradient of its output to its inputs.

use crate::op::{Map, Op, Term, Zip};
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
        Op::Zip { f: Zip::KlTerms, a: mu, b: logvar, .. } => {
            let product = dy.clone();
            tape.contribute_after(inputs[0], |tape, dmu| {
                let half = tape.step(mu.shape, |y| Op::Zip { f: Zip::Mul, a: mu, b: product, y })?;
                Ok(Op::Scale { x: half, y: dmu, factor: 2.0 })
            })?;
            tape.contribute_after(inputs[1], |tape, dlogvar| {
                let grown = tape.step(logvar.shape, |dx| Op::MapGrad { f: Map::Exp, x: logvar, dy: dy.clone(), dx })?;
                Ok(Op::Axpy { a: grown, b: dy, y: dlogvar, factor: -1.0 })
            })
        }
        Op::Axpy { factor, .. } => {
            tape.pass(inputs[0], g)?;
            tape.contribute(inputs[1], |db| Op::Scale { x: dy, y: db, factor })
        }
        Op::Clamp { x, lo, hi, .. } => tape.contribute(inputs[0], |dx| Op::ClampGrad { x, dy, dx, lo, hi }),
        Op::Reduce { f, x, other, scale, .. } => {
            let grad = |f: Term, x, other| {
                move |dx| Op::ReduceGrad { f, x: f.grad_takes_x().then_some(x), other, dy, dx, scale: f.slope() * scale }
            };
            match (f, other) {
                // (x - t)^2 is symmetric, so the target's gradient is the same op with the two swapped.
                (Term::Mse, Some(target)) => {
                    let again = grad.clone();
                    tape.contribute(inputs[0], grad(f, x.clone(), Some(target.clone())))?;
                    tape.contribute(inputs[1], again(f, target, Some(x)))
                }
                // By mu it is a sum of squares; its own derivative is that by logvar.
                (Term::Kl, logvar) => {
                    let again = grad.clone();
                    tape.contribute(inputs[0], grad(Term::SquareSum, x.clone(), None))?;
                    tape.contribute(inputs[1], again(f, x, logvar))
                }
                // `Tape::bce_with_logits` rejects targets that need a gradient; that of `Tape::rho_kl` is a constant.
                (Term::Sum | Term::SquareSum | Term::AbsSum | Term::Mse | Term::Bce | Term::RhoKl, other) => {
                    tape.contribute(inputs[0], grad(f, x, other))
                }
            }
        }
        Op::Xent { z, label, lse, .. } => tape.contribute(inputs[0], |dz| Op::XentGrad { z, label, lse, dy, dz }),
        Op::Scale { factor, .. } => tape.contribute(inputs[0], |dx| Op::Scale { x: dy, y: dx, factor }),
        Op::ScaleBy { table, clock, column, .. } => tape.contribute(inputs[0], |dx| Op::ScaleBy { x: dy, table, clock, y: dx, column }),
        // The same mask, drawn again.
        Op::Mask { clock, keep, factor, stream, .. } => {
            tape.contribute(inputs[0], |dx| Op::Mask { x: dy, clock, y: dx, keep, factor, stream })
        }
        // What is taken does not depend on x as far as it is differentiable: the gradient takes the same way.
        Op::Select { x, cut, .. } => tape.contribute(inputs[0], |dx| Op::Select { x, cut, dy, dx }),
        Op::Dead { idle, least, .. } => tape.contribute(inputs[0], |dx| Op::Dead { x: dy, idle, y: dx, least, other: 0.0 }),
        // These produce data; nothing that is differentiated goes into them.
        Op::Gather { .. } | Op::Uniform { .. } | Op::Normal { .. } | Op::Fill { .. } => Ok(()),
        Op::MapGrad { .. }
        | Op::ClampGrad { .. }
        | Op::ReduceGrad { .. }
        | Op::XentGrad { .. }
        | Op::Clip { .. }
        | Op::Cut { .. }
        | Op::MergeTopk { .. }
        | Op::Idle { .. }
        | Op::Copy { .. }
        | Op::Advance { .. }
        | Op::Store { .. }
        | Op::Adam { .. } => {
            let remedy = "Take gradients of a loss that is not itself made of gradients.";
            Err(Error::op(op.name(), "it has no derivative", remedy))
        }
    }
}
