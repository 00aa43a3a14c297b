//! Training: whole epochs on the device, a report after each.

mod fit;
mod schedule;
mod training;

pub use fit::{Epoch, Fit, History};
pub use schedule::{Schedule, Steps};
