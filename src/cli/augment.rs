//! `narrows augment`

use super::apply::unless_gone;
use super::common::{Common, check_place, counted, ends_in, print};
use super::input::Input;
use super::made::Made;
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, RowWriter, Rows};
use narrows::{Autoencoder, Error, Result, report, tasks};
use std::path::PathBuf;

/// Given rows in a picture, and new ones of each.
const SHOWN: [usize; 2] = [10, 12];

#[derive(Args)]
pub(super) struct Augment {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    input: Input,
    /// New rows of each given one. Each lies between the given row and one of the five nearest with its label.
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    /// Seed of the new rows.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// A .csv, with categories by their names and the column `label` where the rows have labels, an .npy, or for images
    /// a .png: each given row before its new ones. [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document on the file.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Augment {
    /// Writes the new rows: those of the first given row first.
    pub(super) fn run(&self) -> Result<()> {
        let picture = self.out.as_deref().filter(|out| ends_in(out, "png"));
        if let Some(out) = &self.out {
            if picture.is_none() {
                RowWriter::check(out)?;
            }
            check_place(out, "the rows", self.input.is_at(out))?;
            check_place(out, "the model", self.model.is_at(out))?;
        }
        let ae = self.model.load(&self.common)?;
        let given = self.input.whole(&ae)?;
        self.common.note(given.notes());
        let codes = tasks::augment(&ae, &given, self.n, self.seed)?;
        match picture {
            Some(path) => {
                let Some(dims) = given.image_dims() else {
                    let problem = format!("{} is a picture, but the rows are not images", path.display());
                    return Err(Error::Argument { name: "-o".into(), problem, remedy: "Name a .csv or .npy file.".into() });
                };
                let [lines, most] = SHOWN;
                let (lines, shown) = (lines.min(given.len()), most.min(self.n));
                let new = ae.decode(&Rows::new(codes.columns, codes.values[..lines * self.n * codes.columns].to_vec()))?;
                let images = (0..lines).flat_map(|line| {
                    let from = line * self.n * ae.inputs();
                    given.rows_f32(line..line + 1).into_iter().chain(new.values[from..from + shown * ae.inputs()].iter().copied())
                });
                report::write(path, &report::grid(&images.collect::<Vec<_>>(), dims, shown + 1)?)?;
            }
            None => unless_gone(|| self.write(&ae, &given, codes))?,
        }
        let Some(path) = &self.out else { return Ok(()) };
        let rows = given.len() * self.n;
        self.common.say(format_args!("{} near {} of {}", counted(rows, "row"), given.len(), given.name()));
        match self.json {
            true => print(serde_json::json!({ "file": path.display().to_string(), "rows": rows, "given": given.len(), "seed": self.seed })),
            false => print(path.display()),
        }
    }

    fn write(&self, ae: &Autoencoder, given: &Dataset, codes: Rows) -> Result<()> {
        let has_place = self.out.as_deref().is_none_or(|path| !ends_in(path, "npy"));
        let labels = given.labels().filter(|_| has_place);
        let made = Made::new(ae, self.out.as_deref());
        let mut writer = made.table(self.out.as_deref(), labels.map(|_| "label"))?;
        let mut at = 0;
        for rows in ae.decode_stream(Dataset::from_rows("codes", codes.values, &[codes.columns])?.chunks())? {
            let rows = rows?;
            let texts = (at..at + rows.rows).filter_map(|row| Some(given.class_name(labels?[row / self.n]))).collect();
            at += rows.rows;
            writer.write(&made.rows(rows.with_texts(texts))?)?;
        }
        writer.finish().map(drop)
    }
}
