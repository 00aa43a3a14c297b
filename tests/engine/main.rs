//! Ops, their derivatives, the texts of their errors, and their machine code.

mod assembly;
mod choices;
#[path = "../common/mod.rs"]
mod common;
mod conformance;
#[cfg(feature = "files")]
mod errors;
mod gradients;
mod normal;
