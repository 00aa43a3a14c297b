//! `narrows map`

use super::common::{Common, check_ending, check_place, counted, ends_in, is_same, plotted, print};
use super::flags::named;
use super::input::Halves;
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, RowWriter};
use narrows::tasks::{Fidelity, Plane, Projection};
use narrows::{Autoencoder, Result, report};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Fewer rows have no neighbourhoods to compare.
const LEAST_COMPARED: usize = 4;

#[derive(Args)]
pub(super) struct Map {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    /// The part of data in two parts: train or test.
    #[arg(long, default_value = "test", value_name = "PART", value_parser = ["train", "test"])]
    part: String,
    /// How codes become points: the numbers of codes of two units, or of three, turned; their principal components; or
    /// t-SNE of the codes as the decoder sees them. [default: code for up to three units, else tsne]
    #[arg(long, value_parser = named::<Projection>(Projection::NAMES), value_name = Projection::USAGE)]
    by: Option<Projection>,
    /// An .svg or .png, or a .csv of x, y and label.
    #[arg(short, value_name = "FILE", default_value = "map.svg")]
    out: PathBuf,
    /// Prints one JSON document instead of the file's path.
    #[arg(long)]
    json: bool,
}

impl Map {
    /// Draws or writes the points of rows, and prints the file's path.
    pub(super) fn run(&self) -> Result<()> {
        let out = &self.out;
        check_ending(out, &["svg", "png", "csv"])?;
        check_place(out, "the model", self.model.is_at(out))?;
        let ae = self.model.load(&self.common)?;
        let (split, data) = self.halves.open(self.model.path(), &ae, &self.common)?;
        check_place(out, "the rows", is_same(out, &data))?;
        let rows = match self.part.as_str() {
            "train" => split.train,
            _ => self.halves.labelled(self.model.path(), &ae, &split, None)?,
        };
        let by = self.by.unwrap_or(Projection::usual(ae.code_width()));
        let plane = placed(&ae, &rows, by)?;
        let fidelity = self.fidelity(&ae, &rows, &plane)?;
        match ends_in(out, "csv") {
            true => write(out, &plane, &rows)?,
            false => report::write(out, &drawn(&plane, &rows, ends_in(out, "png"))?)?,
        }
        if !self.json {
            return print(out.display());
        }
        print(json!({
            "file": out.display().to_string(), "rows": rows.len(), "by": by.to_string(),
            "compared": fidelity.as_ref().map(|found| found.rows),
            "neighbours": fidelity.as_ref().map(|found| found.neighbours),
            "trustworthiness": fidelity.as_ref().map(|found| found.trustworthiness),
            "continuity": fidelity.as_ref().map(|found| found.continuity),
            "accuracy": fidelity.as_ref().and_then(|found| found.accuracy),
            "most_frequent": fidelity.as_ref().and_then(|found| found.frequent),
        }))
    }

    /// How true the map is to the rows as the network sees them.
    fn fidelity(&self, ae: &Autoencoder, rows: &Dataset, plane: &Plane) -> Result<Option<Fidelity>> {
        if rows.len() < LEAST_COMPARED {
            self.common.say(format_args!("{} without neighbourhoods to compare", counted(rows.len(), "row")));
            return Ok(None);
        }
        let found = Fidelity::of_rows(ae, rows, &plane.points)?;
        self.common.say(&found);
        Ok(Some(found))
    }
}

/// The points of some rows.
pub(super) fn placed(ae: &Autoencoder, rows: &Dataset, by: Projection) -> Result<Plane> {
    Plane::of_codes(ae, &ae.encode(rows)?, by)
}

/// The picture of a plane.
pub(super) fn drawn(plane: &Plane, rows: &Dataset, is_png: bool) -> Result<Vec<u8>> {
    let synthetic = if rows.is_synthetic() { ", synthetic" } else { "" };
    plotted(report::map(&format!("Codes of {}{synthetic}", rows.name()), plane, rows)?, is_png)
}

fn write(out: &Path, plane: &Plane, rows: &Dataset) -> Result<()> {
    let label = |row: usize| rows.labels().map_or_else(String::new, |labels| rows.class_name(labels[row]));
    let mut writer = RowWriter::create(out, &["x", "y"])?.with_texts(&["label"]);
    writer.write(&plane.points.clone().with_texts((0..rows.len()).map(label).collect()))?;
    writer.finish().map(drop)
}
