//! Networks: compositions of ops on a tape.

mod autoencoder;
#[cfg(feature = "files")]
mod file;

pub(crate) use autoencoder::mean_square;
pub use autoencoder::{Autoencoder, Builder, Output, Rows};
