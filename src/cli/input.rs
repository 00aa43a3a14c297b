//! What all verbs that read rows share.

use super::settings::Settings;
use clap::Args;
use narrows::data::{Chunks, Column, Options, Split};
use narrows::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How files are read if they do not say so themselves.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reading {
    /// CSV: the column of the labels, by its name or its number counted from 0. It is not part of the rows.
    /// [default: none]
    #[arg(long, value_name = "COLUMN|none")]
    label: Option<String>,
    /// CSV: whether the first line names the columns. [default: yes if none of its fields is a number]
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    header: Option<bool>,
    /// Folders of images: the size that each image is scaled to. [default: that of the first]
    #[arg(long, value_name = "HxW", value_parser = height_and_width)]
    image_size: Option<(usize, usize)>,
    /// Folders of images: keeps their colours, as three channels. Else they turn grey: 0.2126 R + 0.7152 G + 0.0722 B.
    /// --color=false overrides --config.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    color: Option<bool>,
}

fn yes_or_no(text: &str) -> std::result::Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it is neither yes nor no".into()),
    }
}

fn height_and_width(text: &str) -> std::result::Result<(usize, usize), String> {
    let size = text.split_once('x').and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
    size.filter(|&(h, w)| h > 0 && w > 0).ok_or_else(|| "it is not like 28x28".into())
}

impl Reading {
    pub(super) fn is_default(&self) -> bool {
        *self == Reading::default()
    }

    /// Replaces the values that are given. The label `none` undoes one; in a file it is the name of a column.
    pub(super) fn over(&self, stands: &Reading) -> Reading {
        Reading {
            label: self.label.clone().or_else(|| stands.label.clone()).filter(|_| self.label.as_deref() != Some("none")),
            header: self.header.or(stands.header),
            image_size: self.image_size.or(stands.image_size),
            color: self.color.or(stands.color),
        }
    }

    /// The training and test rows of the named data.
    pub(super) fn split(&self, data: &str) -> Result<Split> {
        if data == "-" {
            return Err(Error::Argument {
                name: "--data".into(),
                problem: "- is stdin, which can't be read twice to train and to test".into(),
                remedy: "Write the rows to a .csv file and name that.".into(),
            });
        }
        self.options().open(data)
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::default();
        if let Some(label) = &self.label {
            options = options.label(label.parse().map_or_else(|_| Column::Name(label.clone()), Column::Index));
        }
        if let Some(header) = self.header {
            options = options.header(header);
        }
        if let Some((height, width)) = self.image_size {
            options = options.image_size(height, width);
        }
        options.color(self.color == Some(true))
    }
}

/// Training and test rows for a trained network: the named ones, or those of its run.
#[derive(Args)]
pub(super) struct Halves {
    /// builtin, mnist, a folder with the four IDX files of MNIST, a folder of images, a .csv or .npy file. [default:
    /// the data of the run]
    #[arg(long, value_name = "builtin|mnist|PATH")]
    data: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

impl Halves {
    /// The rows, and their name.
    pub(super) fn open(&self, model: &Path) -> Result<(Split, String)> {
        if let Some(data) = &self.data {
            return Ok((self.reading.over(&Reading::default()).split(data)?, data.clone()));
        }
        if !self.reading.is_default() {
            return Err(Error::Argument {
                name: "data".into(),
                problem: "there are options for reading it, but it is not named".into(),
                remedy: "Add --data.".into(),
            });
        }
        match super::run_of(model) {
            Some(folder) => {
                let settings = Settings::read(folder)?;
                Ok((settings.data.open()?, settings.data().to_string()))
            }
            None => Err(Error::Argument {
                name: "data".into(),
                problem: format!("{} is not in the folder of a run, so nothing says what it was trained on", model.display()),
                remedy: "Name the rows: --data builtin, mnist or a path.".into(),
            }),
        }
    }
}

/// The rows to run through a trained network.
#[derive(Args)]
pub(super) struct Input {
    /// A .csv or .npy file, - for CSV or npy from stdin, a folder of images, a folder with IDX files, builtin or mnist.
    #[arg(long, value_name = "PATH|-")]
    data: String,
    /// The part of data in two parts: train or test.
    #[arg(long, default_value = "test", value_name = "PART", value_parser = ["train", "test"])]
    part: String,
    #[command(flatten)]
    reading: Reading,
}

impl Input {
    /// All rows of a file or of a folder of images, or one part of data in two parts.
    pub(super) fn open(&self) -> Result<Chunks> {
        let options = self.reading.over(&Reading::default()).options();
        if self.data == "-" {
            return options.stream_from("stdin", std::io::stdin());
        }
        let path = Path::new(&self.data);
        if options.is_stream(&self.data) {
            return options.stream(path);
        }
        if options.is_images(&self.data) {
            return Ok(options.read(path)?.chunks());
        }
        let split = options.open(&self.data)?;
        Ok(if self.part == "train" { split.train } else { split.test }.chunks())
    }
}
