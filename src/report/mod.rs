//! Everything made for people to look at: pictures, plots, the table of a training run, and the page that holds them
//! all.

mod about;
mod charts;
mod components;
mod confusion;
mod detection;
mod family;
mod gallery;
mod importance;
mod map;
mod metrics;
mod page;
mod picture;
mod plot;
#[cfg(feature = "cli")]
mod raster;
mod run;
mod table;
mod verdict;
mod weights;

pub use about::{About, machine};
pub use charts::{histogram, loss, rate};
pub use components::Components;
pub use confusion::confusion;
pub use detection::detection;
pub use importance::{importance, importance_of_pixels};
pub use map::map;
pub use metrics::{Point, metrics, read_metrics};
pub use picture::{comparison, grid, heat, triples};
#[cfg(feature = "cli")]
pub use raster::png;
pub use run::{Written, run};
pub use verdict::Verdict;
pub use weights::{Tiles, atoms, weights};

use crate::{Result, files};
use std::path::Path;

/// Removes the temporary files that killed processes left in the folder of a run. Only for a folder that no other
/// process writes into.
pub fn sweep(folder: &Path) {
    files::sweep(folder);
}

/// Removes the temporary files that this process is writing: for one that ends at once. Whether there were any. Who
/// would begin another waits for that end.
pub fn abandon() -> bool {
    files::abandon()
}

/// Writes a file whole or not at all, as every file of a report is written.
///
/// # Errors
/// Any error of the system; then the old file is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_atomic(path, |w| w.write_all(bytes))
}

/// Whether there is a folder for a file, which is asked before long work is done for it.
///
/// # Errors
/// When the folder does not exist, or is a file.
pub fn check_folder(path: &Path) -> Result<()> {
    files::check_folder(path)
}
