//! Data sets and the files that they come from.
#![cfg(feature = "files")]

mod arrays;
mod broken;
#[path = "../common/bytes.rs"]
mod bytes;
mod data;
#[cfg(feature = "download")]
mod download;
mod images;
mod schema;
mod tables;
mod texts;
