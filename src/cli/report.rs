//! `narrows report`

use super::common::{Common, print};
use super::input::Halves;
use super::model;
use clap::Args;
use narrows::Result;
use narrows::report::{self, About};
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
    /// Prints one JSON document instead of the page's path.
    #[arg(long)]
    json: bool,
}

impl Report {
    /// Writes the pictures and the page again, and prints the page's path.
    pub(super) fn run(&self) -> Result<()> {
        let about = About::read(&self.run.join("run.json"))?;
        let (ae, ensemble) = model::of_run(&self.run, &self.common)?;
        model::say_first(&self.run, ensemble.as_ref(), &self.common);
        let (split, _) = self.halves.open(&self.run, &ae, &self.common)?;
        let written = report::run(&self.run, &ae, &split, &about)?;
        self.common.note(&written.absent);
        match self.json {
            true => print(serde_json::json!({
                "report": written.page.display().to_string(), "picture": written.picture.map(|path| path.display().to_string()),
                "absent": written.absent,
            })),
            false => print(written.page.display()),
        }
    }
}
