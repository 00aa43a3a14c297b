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
        let (split, _) = self.halves.open(&self.run, &ae)?;
        self.common.note(&split.notes());
        let written = report::run(&self.run, &ae, &split, &about)?;
        self.common.note(&written.absent);
        print(written.page.display())
    }
}
