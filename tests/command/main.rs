//! The command line: processes of their own.
#![cfg(feature = "cli")]

mod anomalies;
#[path = "../common/bytes.rs"]
mod bytes;
mod cli;
mod family;
mod first_hour;
mod judged;
mod pictures;
#[cfg(target_os = "linux")]
mod refused;
#[cfg(unix)]
mod saving;
#[cfg(unix)]
mod stopping;
mod tables;
mod texts;
mod uses;
mod verbs;
