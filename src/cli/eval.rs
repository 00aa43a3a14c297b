//! `narrows eval`

use super::input::Halves;
use super::{Common, print};
use clap::Args;
use narrows::train::Evaluation;
use narrows::{Autoencoder, Result};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Eval {
    #[command(flatten)]
    common: Common,
    /// A model.safetensors, or the folder of a run.
    #[arg(long, value_name = "FILE|DIR")]
    model: PathBuf,
    #[command(flatten)]
    halves: Halves,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Prints the errors on training and test rows.
    pub(super) fn run(&self) -> Result<()> {
        let device = self.common.open()?;
        let ae = Autoencoder::load(&device, super::model_file(&self.model))?;
        let (split, _) = self.halves.open(&self.model)?;
        let both = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
        match self.json {
            true => print(both.json()),
            false => print(both),
        }
    }
}
