//! `narrows eval`

use super::input::Halves;
use super::{Common, print};
use clap::Args;
use narrows::data::has_fingerprint;
use narrows::report::About;
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
        let (split, data) = self.halves.open(&self.model, &ae)?;
        self.common.note(&split.notes());
        // A model without a record, or with one that can't be read, says nothing of its data.
        let record = super::run_of(&self.model).and_then(|folder| About::read(&folder.join("run.json")).ok());
        if record.and_then(|about| about.sha256).is_some_and(|known| !has_fingerprint(&split, &known)) {
            self.common.say(format_args!("{data}: these are not the data that the run was trained and tested on, by their SHA-256"));
        }
        let both = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
        match self.json {
            true => print(both.json()),
            false => print(both),
        }
    }
}
