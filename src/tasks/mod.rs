//! What a trained code is for, and what it is compared with.

mod activity;
mod anomaly;
mod contraction;
mod denoising;
mod highest;
mod latent;
#[cfg(feature = "pca")]
mod pca;
mod probe;
mod readout;
mod sampling;
mod search;

pub use activity::Activity;
pub use anomaly::Detection;
pub use contraction::jacobian_norm;
pub use denoising::{Denoised, Denoising, Quality};
pub use highest::Highest;
pub use latent::{Latent, Likelihood, Model};
#[cfg(feature = "pca")]
pub use pca::Pca;
pub use probe::{Probe, ProbeConfig};
pub use readout::{Features, Readout, ReadoutConfig};
pub use sampling::{between, codes, manifold, mean_code, sample, traverse};
pub use search::{Hits, Metric, Neighbours};
