//! Training: whole epochs on the device, a report after each; schedules, early stopping, checkpoints.

mod check;
#[cfg(feature = "files")]
mod checkpoint;
mod fit;
mod schedule;
#[cfg(feature = "files")]
mod seal;
mod training;

#[cfg(feature = "files")]
pub use checkpoint::Checkpoint;
pub use fit::{Ended, Epoch, Fit, Flow, History, Loss};
pub use schedule::{Schedule, Steps};
