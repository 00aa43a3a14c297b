//! What a trained code is for, and what it is compared with.

mod activity;
mod anomaly;
mod augment;
mod contraction;
mod denoising;
mod dream;
mod fidelity;
mod highest;
mod importance;
mod latent;
mod neighbours;
#[cfg(feature = "pca")]
mod pca;
#[cfg(feature = "pca")]
mod plane;
mod probe;
mod products;
mod pullback;
mod readout;
mod sampling;
mod scan;
mod search;
mod spreading;

pub use activity::Activity;
pub use anomaly::Detection;
pub use augment::augment;
pub use contraction::jacobian_norm;
pub use denoising::{Denoised, Denoising, Quality};
pub use dream::Dream;
pub use fidelity::Fidelity;
pub use highest::{Highest, highest};
pub use importance::Importance;
pub use latent::{Latent, Likelihood, Model};
pub use neighbours::{Hits, Neighbours};
#[cfg(feature = "pca")]
pub use pca::Pca;
#[cfg(feature = "pca")]
pub use plane::{Plane, Projection};
pub use probe::{Probe, ProbeConfig};
pub use pullback::Pullback;
pub use readout::{Features, Readout, ReadoutConfig};
pub use sampling::{analogy, between, codes, manifold, mean_code, mixture_codes, sample, traverse};
pub use search::{Metric, Search};
pub use spreading::{Shares, Spreading};
