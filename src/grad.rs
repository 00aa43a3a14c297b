//! THE DERIVATIVE TABLE: for each op, the ops that carry the gradient of its output to its inputs.

use crate::op::Op;
use crate::tape::{Tape, Val};
use crate::{Error, Result};

/// Pushes the ops that turn `dy`, the gradient of the op's output, into gradients of its inputs. `inputs` are in the order of the tape method.
pub(crate) fn derivative(tape: &mut Tape, op: Op, inputs: &[Val], dy: Val) -> Result<()> {
    let dy_view = tape.view(dy)?.clone();
    match op {
        Op::Dense { x, w, .. } => {
            let dz = dy_view;
            tape.contribute(inputs[0], |dx| Op::DenseDx { dz: dz.clone(), w, dx })?;
            tape.contribute(inputs[1], |dw| Op::DenseDw { dz: dz.clone(), x, dw })?;
            tape.contribute(inputs[2], |db| Op::DenseDb { dz, db })
        }
        Op::Relu { x, .. } => tape.contribute(inputs[0], |dx| Op::ReluGrad { x, dy: dy_view, dx }),
        Op::Sigmoid { x, .. } => tape.contribute(inputs[0], |dx| Op::SigmoidGrad { x, dy: dy_view, dx }),
        Op::Tanh { x, .. } => tape.contribute(inputs[0], |dx| Op::TanhGrad { x, dy: dy_view, dx }),
        Op::Mse { y, target, scale, .. } => {
            let (y2, target2, dloss) = (y.clone(), target.clone(), dy_view.clone());
            tape.contribute(inputs[0], |dy| Op::MseGrad { y, target, dloss, dy, scale: 2.0 * scale })?;
            // (y - t)^2 is symmetric, so the target's gradient is the same op with the two exchanged.
            tape.contribute(inputs[1], |dy| Op::MseGrad { y: target2, target: y2, dloss: dy_view, dy, scale: 2.0 * scale })
        }
        Op::Bce { z, target, scale, .. } => {
            tape.contribute(inputs[0], |dz| Op::BceGrad { z, target, dloss: dy_view, dz, scale })
            // `Tape::bce_with_logits` refuses targets that are differentiated.
        }
        Op::Sum { .. } => tape.contribute(inputs[0], |dx| Op::Broadcast { x: dy_view, y: dx }),
        Op::Add { .. } => tape.pass(inputs[0], dy).and_then(|()| tape.pass(inputs[1], dy)),
        Op::Scale { factor, .. } => tape.contribute(inputs[0], |dx| Op::Scale { x: dy_view, y: dx, factor }),
        // These produce data, not functions of anything that is differentiated.
        Op::Gather { .. } | Op::Uniform { .. } | Op::Fill { .. } => Ok(()),
        Op::DenseDx { .. }
        | Op::DenseDw { .. }
        | Op::DenseDb { .. }
        | Op::ReluGrad { .. }
        | Op::SigmoidGrad { .. }
        | Op::TanhGrad { .. }
        | Op::MseGrad { .. }
        | Op::BceGrad { .. }
        | Op::SquareSum { .. }
        | Op::Clip { .. }
        | Op::Broadcast { .. }
        | Op::Copy { .. }
        | Op::Advance { .. }
        | Op::Store { .. }
        | Op::Adam { .. } => {
            Err(Error::op(op.name(), "there is no derivative of it", "Take gradients of a loss that is not itself made of gradients."))
        }
    }
}
