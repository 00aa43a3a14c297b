#![doc = include_str!("../README.md")]
#![deny(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod backend;
mod clock;
pub mod data;
mod device;
mod error;
#[cfg(feature = "files")]
mod files;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod fuse;
mod grad;
mod largest;
pub mod nn;
mod op;
mod optim;
mod order;
mod params;
mod program;
mod reading;
#[cfg(feature = "files")]
pub mod report;
mod rng;
mod shape;
mod spelling;
mod tape;
pub mod tasks;
mod tensor;
pub mod train;
mod val;
pub mod verify;

pub use backend::cpu::Level;
pub use clock::Clock;
pub use device::{Absent, Counts, Device, DeviceInfo, DeviceKind, DeviceList};
pub use error::{Error, Result};
pub use largest::Largest;
pub use nn::{Autoencoder, Loss};
pub use op::Cost;
pub use optim::{Adam, AdamConfig};
pub use params::Params;
pub use program::Program;
pub use reading::Reading;
pub use shape::{Dtype, Shape};
pub use tape::Tape;
pub use tensor::Tensor;
pub use train::{Fit, History, Schedule};
pub use val::Val;

// The clock of the system, or of the page.
#[cfg(not(target_arch = "wasm32"))]
use std::time;
#[cfg(target_arch = "wasm32")]
use web_time as time;
