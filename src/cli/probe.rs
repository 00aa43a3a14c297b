//! `narrows probe`

use super::common::{Common, PLOT, check_ending, check_place, counted, ends_in, plotted, print, without_components};
use super::input::Halves;
use super::model::Model;
use clap::Args;
use narrows::tasks::{Features, ProbeConfig, Readout, ReadoutConfig};
use narrows::{Error, Result, report};
use serde_json::json;
use std::path::PathBuf;

/// Draws where only some labels are known.
const DRAWS: usize = 10;

#[derive(Args)]
pub(super) struct Probe {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    /// Training rows whose labels are known, as many of each class as there can be. [default: all]
    #[arg(long, value_name = "N")]
    labelled: Option<usize>,
    /// Draws of these rows, of which the mean and the standard deviation are printed. [default: 10 with --labelled,
    /// else 1]
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    /// Trains the encoder with the classifier as well, beside the frozen codes.
    #[arg(long)]
    fine_tune: bool,
    /// Spreads the labels over the nearest of all training rows as well, by the angle between features: rows without a
    /// label help.
    #[arg(long)]
    spread: bool,
    /// Seed of the first draw.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// An .svg or .png: which classes are taken for which.
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

impl Probe {
    /// Prints the errors of linear classifiers on the codes, on principal components and on the rows.
    pub(super) fn run(&self) -> Result<()> {
        if let Some(out) = &self.out {
            check_place(out, "the model", self.model.is_at(out))?;
            check_ending(out, PLOT)?;
        }
        let ae = self.model.load(&self.common)?;
        let (split, data) = self.halves.open(self.model.path(), &ae, &self.common)?;
        if split.train.labels().is_none() {
            return Err(Error::Data {
                path: data,
                problem: "the rows have no labels".into(),
                remedy: "Name them with --data: a table with --label COLUMN, or a folder whose sub-folders are classes.".into(),
            });
        }
        let config = ReadoutConfig {
            labelled: self.labelled,
            draws: self.draws.unwrap_or(if self.labelled.is_some() { DRAWS } else { 1 }),
            fine_tune: self.fine_tune,
            spread: self.spread,
            probe: ProbeConfig { seed: self.seed, ..ProbeConfig::default() },
        };
        let readout = Readout::of(&ae, &split.train, &split.test, config)?;
        if readout.features.iter().all(|features| features.name != "principal components") {
            self.common.say(without_components(&split.train));
        }
        if self.spread && readout.spread.iter().all(|features| features.name != "rows") {
            self.common.say(format_args!(
                "labels are not spread over the rows themselves: to find the neighbours of such wide ones would take minutes"
            ));
        }
        if let Some(out) = &self.out {
            let names: Vec<String> = (0..readout.confusion.len()).map(|class| split.test.class_name(class as u8)).collect();
            let what = if self.fine_tune { "fine-tuned codes" } else { "codes" };
            let draws = if config.draws > 1 { format!(" in each of {} draws", config.draws) } else { String::new() };
            let (known, tested) = (counted(readout.labelled, "label"), counted(split.test.len(), "test row"));
            let title = format!("{what}, {known}; the cells count {tested}{draws}");
            let svg = report::confusion(&title, &readout.confusion, &names)?;
            report::write(out, &plotted(svg, ends_in(out, "png"))?)?;
        }
        if !self.json {
            return print(&readout);
        }
        let line = |of: &Features| {
            json!({
                "features": of.name, "columns": of.columns, "error": of.mean(), "standard_deviation": of.deviation(),
                "errors": of.errors,
            })
        };
        print(json!({
            "labelled": readout.labelled, "seed": self.seed, "readouts": readout.features.iter().map(line).collect::<Vec<_>>(),
            "spread": readout.spread.iter().map(line).collect::<Vec<_>>(),
            "confusion": readout.confusion, "file": self.out.as_ref().map(|out| out.display().to_string()),
        }))
    }
}
