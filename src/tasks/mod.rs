//! What a trained code is for, and what it is compared with.

mod activity;
mod contraction;
mod denoising;
mod latent;
#[cfg(feature = "pca")]
mod pca;
mod sampling;

pub use activity::Activity;
pub use contraction::jacobian_norm;
pub use denoising::{Denoised, Denoising, Quality};
pub use latent::{Latent, Likelihood, Model};
#[cfg(feature = "pca")]
pub use pca::Pca;
pub use sampling::{between, codes, manifold, mean_code, sample, traverse};
