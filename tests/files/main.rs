//! Data sets and the files that they come from.
#![cfg(feature = "files")]

#[path = "../common/bytes.rs"]
mod bytes;
mod data;
#[cfg(feature = "download")]
mod download;
mod images;
mod tables;
