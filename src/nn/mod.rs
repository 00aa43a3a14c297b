//! Networks: compositions of ops on a tape.

mod autoencoder;
#[cfg(feature = "files")]
mod file;
mod pass;
mod whole;

pub use autoencoder::{Autoencoder, Builder, Output, Rows};
pub use pass::contamination;
pub(crate) use pass::{Way, mean_square};
