//! The data of a run, as in `config.toml`: where they are, how they are read, which rows are held out.

use super::input::{Columns, Reading, known};
use narrows::data::{Dataset, Options, Scale, Split};
use narrows::{Autoencoder, Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Source {
    pub(super) name: Option<String>,
    pub(super) scale: Option<Scale>,
    pub(super) validation: Option<f64>,
    pub(super) held_out: HeldOut,
    // A table of its own: how files are read if they do not say so themselves.
    #[serde(skip_serializing_if = "Reading::is_default")]
    pub(super) reading: Reading,
    // What is learnt from the columns of a table.
    #[serde(skip_serializing_if = "Columns::is_default")]
    pub(super) columns: Columns,
    /// The file that names the data, if no flag does.
    #[serde(skip)]
    pub(super) config: Option<PathBuf>,
    /// Whether there was nothing where that file has them, but at another place.
    #[serde(skip)]
    pub(super) moved: bool,
}

/// Which of the training rows a share to validate on is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum HeldOut {
    /// Rows of any place, because those of a class often lie together.
    #[default]
    Random,
    /// The last ones.
    Last,
}

impl Source {
    /// Remembers the file that names the data, and finds them at the first place where there is something.
    pub(super) fn came_from(&mut self, config: &Path) {
        let Some(name) = &self.name else { return };
        self.config = Some(config.into());
        if is_path(name)
            && let Some(found) = places(name, config).iter().find(|place| !is_absent(place)).and_then(|place| place.to_str())
        {
            self.moved = found != name;
            self.name = Some(found.into());
        }
    }

    /// The training and test rows: read as the network knows them, or learnt from.
    pub(super) fn open(&self, ae: Option<&Autoencoder>) -> Result<Split> {
        let name = self.name.as_deref().unwrap_or("builtin");
        match &self.config {
            Some(config) if is_path(name) && is_absent(Path::new(name)) => {
                let mut places = places(name, config).map(|place| std::path::absolute(&place).unwrap_or(place)).to_vec();
                places.dedup();
                let nor: String = places.iter().skip(1).map(|place| format!(", nor is {}", place.display())).collect();
                Err(Error::Data {
                    path: config.clone(),
                    problem: format!("it names the data {}, which is not there{nor}", places[0].display()),
                    remedy: "Put the data back, or say where they are: --data PATH.".into(),
                })
            }
            _ => Reading::split(&self.options(ae), name.as_ref()),
        }
    }

    /// The rows to train on, and those to validate on: a share of the training rows, or the part that the data have.
    pub(super) fn hold_out(&self, split: &Split) -> Result<(Dataset, Option<Dataset>)> {
        let train = &split.train;
        let Some(fraction) = self.validation else { return Ok((train.clone(), split.validation.clone())) };
        let rows = (train.len() as f64 * fraction).round();
        if !(rows >= 1.0 && rows < train.len() as f64) {
            return Err(Error::Argument {
                name: "--validation".into(),
                problem: format!("{fraction} of {} rows is {rows}", train.len()),
                remedy: "Use a fraction between 0 and 1 that leaves rows on both sides; 0.1 is usual.".into(),
            });
        }
        let (kept, held) = match self.held_out {
            HeldOut::Random => train.split(fraction, 0)?,
            HeldOut::Last => {
                let kept = train.len() - rows as usize;
                (train.head(kept), train.rows(kept..train.len()))
            }
        };
        let named = format!("{}, held out", train.name());
        Ok((kept, Some(held.named(&named))))
    }

    fn options(&self, ae: Option<&Autoencoder>) -> Options {
        let options = self.reading.options();
        match ae {
            Some(ae) => known(options, ae),
            None => self.columns.put(options),
        }
    }
}

/// Where data that a file names may be: at their path; else in the working folder; else beside the file.
fn places(name: &str, config: &Path) -> [PathBuf; 3] {
    let path = Path::new(name);
    let last = if path.is_absolute() { path.file_name().map_or(path, Path::new) } else { path };
    [path.into(), last.into(), config.with_file_name("").join(last)]
}

/// Whether the name of data is a path.
fn is_path(name: &str) -> bool {
    !matches!(name, "builtin" | "mnist" | "-")
}

/// Whether there is surely nothing: a path that may not be looked at says so when it is opened.
fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// The name of data as it means the same from any folder.
pub(super) fn whole(name: &str) -> String {
    let path = is_path(name).then(|| std::path::absolute(name).ok()).flatten();
    path.as_deref().and_then(Path::to_str).unwrap_or(name).into()
}
