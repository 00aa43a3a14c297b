//! The devices. Nothing outside this folder and `device.rs` knows that they differ.

pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod open;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
