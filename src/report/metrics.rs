//! The table of a training run.

use crate::train::Epoch;
use crate::{Result, files};
use std::path::Path;

/// Writes `metrics.csv`: a header and a line per epoch. Losses are means over all elements, the training one over the epoch's rows;
/// `seconds` is training alone, evaluation excluded; `test_loss` is empty where nothing was tested.
///
/// # Errors
/// When the folder can't be written or the disk is full; then the old file is as it was.
pub fn metrics(path: &Path, epochs: &[Epoch]) -> Result<()> {
    files::write_atomic(path, |file| {
        writeln!(file, "epoch,train_loss,test_loss,seconds,steps_per_second,learning_rate")?;
        for e in epochs {
            let test = e.test_loss.map(|l| l.to_string()).unwrap_or_default();
            let rate = e.steps as f64 / e.seconds.max(1e-9);
            writeln!(file, "{},{},{test},{:.6},{rate:.1},{}", e.epoch, e.train_loss, e.seconds, e.learning_rate)?;
        }
        Ok(())
    })
}
