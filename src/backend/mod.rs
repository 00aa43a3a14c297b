//! The devices. Nothing outside this folder and `device.rs` knows that they differ.

pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(test)]
mod lists;
mod open;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
