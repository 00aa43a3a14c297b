//! What stands beside an autoencoder: the linear code that it has to beat.

mod eigen;
mod pca;

pub use pca::Pca;
