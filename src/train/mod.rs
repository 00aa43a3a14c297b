//! Training: whole epochs on the device, a report after each; schedules, early stopping, checkpoints.

mod check;
#[cfg(feature = "files")]
mod checkpoint;
mod fit;
mod metrics;
mod schedule;
#[cfg(feature = "files")]
mod seal;
mod training;

pub use metrics::{ClassMetrics, Evaluation, Metrics, UnitMetrics};

#[cfg(feature = "files")]
pub use checkpoint::Checkpoint;
pub use fit::{Ended, Epoch, Fit, Flow, History, Loss};
pub use schedule::{Schedule, Steps};
