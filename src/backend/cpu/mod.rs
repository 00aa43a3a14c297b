//! The CPU: rayon for threads, SIMD by compiling one scalar body for several instruction sets.

pub(crate) mod level;
pub(crate) mod memory;

pub use level::Level;
