//! The CUDA kernels without a GPU: the PTX that ships, faults that the table must catch, sanitizers.

#[cfg(all(feature = "cuda", feature = "standin"))]
mod faults;
mod ptx;
mod sanitizers;
#[path = "../standin/mod.rs"]
mod standin;
