//! `narrows data`

use super::common::{print, say};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use narrows::Result;
use narrows::data::{self, Progress};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Data {
    #[command(subcommand)]
    set: Set,
}

#[derive(Subcommand)]
enum Set {
    /// Downloads MNIST (12 MB) unless it was downloaded before, checks it, and prints its folder.
    Mnist {
        /// Where to keep it. [default: NARROWS_CACHE/mnist, or narrows/mnist in the user's cache]
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Prints one JSON document instead of the folder.
        #[arg(long)]
        json: bool,
        /// Prints only errors.
        #[arg(short, long)]
        quiet: bool,
    },
}

impl Data {
    pub(super) fn run(&self) -> Result<()> {
        let Set::Mnist { folder, json, quiet } = &self.set;
        let folder = folder.clone().map_or_else(data::mnist_folder, Ok)?;
        let mut shown = Shown { quiet: *quiet, bar: None };
        let split = data::mnist_with(Some(&folder), |p| shown.at(p));
        shown.end();
        let split = split?;
        if !quiet {
            say(format_args!("MNIST: {} rows to train on, {} to test", split.train.len(), split.test.len()));
        }
        match json {
            true => print(serde_json::json!({
                "folder": folder.display().to_string(), "train_rows": split.train.len(), "test_rows": split.test.len(),
            })),
            false => print(folder.display()),
        }
    }
}

/// A bar for each file on a terminal that can move its cursor, a line for each elsewhere.
struct Shown {
    quiet: bool,
    bar: Option<(String, ProgressBar)>,
}

impl Shown {
    fn at(&mut self, p: Progress) {
        if self.quiet {
            return;
        }
        if self.bar.as_ref().is_none_or(|(file, _)| file != p.file) {
            self.end();
            let bar = ProgressBar::new(p.total.unwrap_or(0));
            if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}") {
                bar.set_style(style);
            }
            bar.set_message(p.file.to_string());
            if bar.is_hidden() {
                say(format_args!("downloading {}", p.file));
            }
            self.bar = Some((p.file.to_string(), bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_position(p.bytes);
        }
    }

    fn end(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish();
        }
    }
}
