//! Models: layers and models as data, the objective of training, and running rows through a network.

mod autoencoder;
mod bottleneck;
mod causes;
mod contraction;
mod corruption;
mod ensemble;
#[cfg(feature = "files")]
mod file;
mod mixture;
mod net;
mod objective;
mod penalty;
mod quantiles;
mod recording;
mod revival;
mod rows;
mod scores;
mod spec;
mod typical;

pub use autoencoder::{Autoencoder, DeadUnits};
pub use bottleneck::TopK;
pub use causes::{Cause, Entry, Explained};
pub use corruption::Corruption;
pub use ensemble::Ensemble;
pub use mixture::Mixture;
pub(crate) use mixture::cholesky;
pub use net::{Activation, Layer, Net};
pub use objective::{Divergence, Loss, Objective};
pub use penalty::Sparsity;
pub use quantiles::Quantiles;
pub(crate) use recording::Training;
pub use recording::{Recording, Stream};
pub use rows::contamination;
pub(crate) use rows::{Decoder, Way, compare, mean_square};
pub(crate) use spec::GROUP;
pub use spec::{Builder, CodeActivation, Output, Spec};
pub use typical::Typical;
