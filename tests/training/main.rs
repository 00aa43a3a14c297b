//! Trainings: alone, beside PyTorch, beside principal components.

mod bits;
#[path = "../common/mod.rs"]
mod common;
mod detection;
#[cfg(feature = "files")]
mod family;
mod groups;
#[cfg(feature = "files")]
mod models;
#[cfg(feature = "pca")]
mod pca;
mod rows;
#[cfg(feature = "files")]
mod torch;
mod torch_training;
#[cfg(feature = "files")]
mod training;
