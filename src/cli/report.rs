//! `narrows report`

use super::input::Halves;
use super::{Common, print};
use clap::Args;
use narrows::report::{self, About};
use narrows::{Autoencoder, Result};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Report {
    #[command(flatten)]
    common: Common,
    /// The folder of a run, as `narrows train` left it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    halves: Halves,
}

impl Report {
    /// Writes the pictures and the page again, and prints the page's path.
    pub(super) fn run(&self) -> Result<()> {
        let about = About::read(&self.run.join("run.json"))?;
        let device = self.common.open()?;
        let ae = Autoencoder::load(&device, super::model_file(&self.run))?;
        let (split, _) = self.halves.open(&self.run)?;
        print(report::run(&self.run, &ae, &split, &about)?.page.display())
    }
}

/// The command line, quoted for a shell.
pub(super) fn command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    let quoted = |arg: String| match !arg.is_empty() && arg.chars().all(plain) {
        true => arg,
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    };
    let args = std::env::args_os().skip(1).map(|arg| quoted(arg.to_string_lossy().into_owned()));
    std::iter::once("narrows".to_string()).chain(args).collect::<Vec<_>>().join(" ")
}
