//! `narrows eval`

use super::input::Halves;
use super::model::Model;
use super::outside::Outside;
use super::{Common, print};
use clap::Args;
use narrows::Result;
use narrows::train::Evaluation;

#[derive(Args)]
pub(super) struct Eval {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Prints the errors on training and test rows.
    pub(super) fn run(&self) -> Result<()> {
        let ae = self.model.load(&self.common)?;
        let (split, _) = self.halves.open(self.model.path(), &ae, &self.common)?;
        let both = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
        let outside = Outside::default();
        for part in [&both.train, &both.test] {
            outside.add(part.outside.unwrap_or(0), part.rows * part.columns);
        }
        outside.say(&self.common);
        match self.json {
            true => print(both.json()),
            false => print(both),
        }
    }
}
