//! How far codes move with their rows.

use crate::data::Dataset;
use crate::{Autoencoder, Error, Result, Tape, Tensor};

/// Rows whose Jacobians are taken at a time.
const BLOCK: usize = 2048;

/// The squared Frobenius norm of the Jacobian of the code by the row, mean over the rows, in the network's units:
/// exact, by a backward pass for each unit of the code.
///
/// # Errors
/// When the rows do not fit the network, there are none, or the device fails.
///
/// ```
/// use narrows::data::Dataset;
/// use narrows::{Autoencoder, Device, tasks};
/// let ae = Autoencoder::builder(2).layers([1]).build(&Device::cpu()?)?;
/// ae.params().write("encoder.0.weight", &[3.0, 4.0])?;
/// let rows = Dataset::from_rows("rows", vec![0.5, -1.0], &[2])?;
/// assert_eq!(tasks::jacobian_norm(&ae, &rows)?, 25.0);
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn jacobian_norm(ae: &Autoencoder, data: &Dataset) -> Result<f64> {
    if data.is_empty() {
        return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
    }
    let (clean, units, columns) = (ae.scaled(data)?, ae.code_width(), ae.inputs());
    let mut sum = 0.0;
    for start in (0..clean.len()).step_by(BLOCK) {
        let rows = start..clean.len().min(start + BLOCK);
        let x = Tensor::new(ae.device(), &clean.rows_f32(rows.clone()), &[rows.len(), columns])?;
        for unit in 0..units {
            let one: Vec<f32> = (0..units).map(|at| f32::from(u8::from(at == unit))).collect();
            let mut tape = Tape::new(ae.device());
            let (x, one) = (tape.variable(&x)?, tape.input(&Tensor::new(ae.device(), &one, &[1, units])?)?);
            let code = ae.encode_on(&mut tape, x)?;
            let column = tape.dense(code, one, None)?;
            let all = tape.sum(column)?;
            tape.backward(all)?;
            let gradient = tape.grad(x)?;
            sum += tape.read(gradient)?.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
        }
    }
    Ok(sum / clean.len() as f64)
}
