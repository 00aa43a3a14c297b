//! Training: whole epochs on the device, a report after each; schedules, early stopping, checkpoints.

mod check;
#[cfg(feature = "files")]
mod checkpoint;
mod fit;
mod hyper;
mod metrics;
#[cfg(feature = "files")]
mod recipe;
mod schedule;
#[cfg(feature = "files")]
mod seal;
mod step;
mod training;

pub use metrics::{ClassMetrics, Evaluation, Metrics, UnitMetrics};

pub use crate::nn::Loss;
#[cfg(feature = "files")]
pub use checkpoint::Checkpoint;
pub(crate) use fit::COLUMNS;
pub use fit::{Ended, Epoch, Fit, Flow, History};
pub use hyper::Hyperparameters;
pub use schedule::{Schedule, Steps};
pub use step::Step;
pub(crate) use training::autoencoder;
