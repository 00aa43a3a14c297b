//! `narrows`: a hand-written tensor engine that trains and uses autoencoders.
#![deny(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod data;
mod error;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
pub mod report;
mod rng;
mod shape;

pub use error::{Error, Result};
pub use shape::{Dtype, Shape};
