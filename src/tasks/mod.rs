//! The comparison for an autoencoder: the linear code that it has to beat.

mod pca;

pub use pca::Pca;
