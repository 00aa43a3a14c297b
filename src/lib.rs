//! `narrows`: a hand-written tensor engine that trains and uses autoencoders.
#![deny(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod backend;
pub mod data;
mod device;
mod error;
mod op;
mod program;
mod rng;
mod shape;

pub use backend::cpu::Level;
pub use device::{Absent, Device, DeviceInfo, DeviceKind, DeviceList};
pub use error::{Error, Result};
pub use op::Cost;
pub use program::Counts;
pub use shape::{Dtype, Shape};
