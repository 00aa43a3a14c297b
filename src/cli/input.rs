//! What all verbs that read rows share.

use super::apply::numbered;
use super::common::{Common, ends_in, is_same};
use super::flags::named;
use super::settings::{Settings, run_of};
use clap::Args;
use narrows::data::{Chunks, Column, Dataset, Missing, Options, Schema, Split, Weighting, has_fingerprint};
use narrows::report::About;
use narrows::{Autoencoder, Error, Result};
use same_file::Handle;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How files are read if they do not say so themselves.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reading {
    /// CSV: the column of the labels, by its name or its number counted from 0. It is not part of the rows. npz: the
    /// array of the labels. [default: none]
    #[arg(long, value_name = "COLUMN|none")]
    label: Option<String>,
    /// npz: the array of the rows. [default: the only one, or X or x_train]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// CSV: the column of the rows' ids, by its name or its number. It is not part of the rows and is written beside
    /// what they give; with none, it is not. [default: a first column without a name that counts up]
    #[arg(long, value_name = "COLUMN|none")]
    id: Option<String>,
    /// CSV: the column of texts, by its name or its number, whose words make the rows; of the others only the label and
    /// the id are kept. [default: none, or that of the model]
    #[arg(long, value_name = "COLUMN|none")]
    text: Option<String>,
    /// CSV: whether the first line names the columns. [default: yes if none of its fields is a number]
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    header: Option<bool>,
    /// CSV: what stands between two fields, such as ; or tab. [default: found in the first lines]
    #[arg(long, value_name = "SIGN|tab", value_parser = sign)]
    delimiter: Option<char>,
    /// CSV: what stands before the decimals, a point or a comma. [default: found in the first lines]
    #[arg(long, value_name = "SIGN", value_parser = sign)]
    decimal: Option<char>,
    /// Folders of images: the size that each image is scaled to. CSV: the size of the pictures whose pixels the columns
    /// are; none if they are not pixels. [default: that of the first; a square, if all fields are bytes]
    #[arg(long, value_name = "HxW|none", value_parser = height_and_width)]
    image_size: Option<Size>,
    /// Folders of images: keeps their colours, as three channels. Else they turn grey: 0.2126 R + 0.7152 G + 0.0722 B.
    /// --color=false overrides --config.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    color: Option<bool>,
    /// Leaves out what can't be read, and says how much that was: lines of CSV with another number of fields, with a
    /// text where a hundred times as many numbers stand, or that a trained model can't take; images and texts of a
    /// folder that can't be decoded. [default: an error]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    skip_broken: Option<bool>,
}

/// What is learnt from the columns of a table when a network is trained on them; its model keeps it.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Columns {
    /// CSV: columns that are left out, by name or number.
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drop: Vec<String>,
    /// CSV: columns of names that look like numbers: a column for each category.
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categorical: Vec<String>,
    /// CSV: what becomes of a row with a gap, which is an empty field or nan, and in a column of numbers NA, N/A, null,
    /// none or ?: an error, left out, or filled with what is usual in the training rows; a gap in text becomes all
    /// zeros. [default: error]
    #[arg(long, value_parser = named::<Missing>(Missing::NAMES), value_name = Missing::USAGE)]
    missing: Option<Missing>,
    /// Texts: how many words make a row, the most frequent of the training rows. [default: 2000]
    #[arg(long, value_name = "N")]
    words: Option<usize>,
    /// Texts: what a row holds for each word: tf-idf, in rows of length 1; its share of the words of the text; or 1 if
    /// the text has it. [default: tfidf]
    #[arg(long, value_parser = named::<Weighting>(Weighting::NAMES), value_name = Weighting::USAGE)]
    weighting: Option<Weighting>,
}

/// The size of a picture, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Size {
    Pixels(usize, usize),
    Said(No),
}

/// The word `none`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum No {
    #[serde(rename = "none")]
    None,
}

fn sign(text: &str) -> std::result::Result<char, String> {
    let mut signs = text.chars();
    match (text, signs.next(), signs.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(sign), None) => Ok(sign),
        _ => Err("it is not one sign".into()),
    }
}

/// A column by its number, if the text is one, else by its name.
fn column(text: &str) -> Column {
    text.parse().map_or_else(|_| Column::Name(text.into()), Column::Index)
}

impl Columns {
    pub(super) fn is_default(&self) -> bool {
        *self == Columns::default()
    }

    /// Replaces the values that are given.
    pub(super) fn over(&self, stands: &Columns) -> Columns {
        let list = |given: &Vec<String>, stands: &Vec<String>| if given.is_empty() { stands.clone() } else { given.clone() };
        Columns {
            drop: list(&self.drop, &stands.drop),
            categorical: list(&self.categorical, &stands.categorical),
            missing: self.missing.or(stands.missing),
            words: self.words.or(stands.words),
            weighting: self.weighting.or(stands.weighting),
        }
    }

    pub(super) fn put(&self, options: Options) -> Options {
        let of = |names: &[String]| names.iter().map(|name| column(name)).collect::<Vec<_>>();
        let options = options.drop(of(&self.drop)).categorical(of(&self.categorical)).missing(self.missing.unwrap_or_default());
        let options = options.weighting(self.weighting.unwrap_or_default());
        if let Some(words) = self.words { options.words(words) } else { options }
    }
}

fn yes_or_no(text: &str) -> std::result::Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it is neither yes nor no".into()),
    }
}

pub(super) fn height_and_width(text: &str) -> std::result::Result<Size, String> {
    if text == "none" {
        return Ok(Size::Said(No::None));
    }
    let size = text.split_once('x').and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
    size.filter(|&(h, w)| h > 0 && w > 0).map(|(h, w)| Size::Pixels(h, w)).ok_or_else(|| "it is not like 28x28".into())
}

impl Reading {
    pub(super) fn is_default(&self) -> bool {
        *self == Reading::default()
    }

    pub(super) fn has_label(&self) -> bool {
        self.label.is_some()
    }

    /// Whether ids are left out.
    pub(super) fn without_ids(&self) -> bool {
        self.id.as_deref() == Some("none")
    }

    /// Replaces the values that are given. The label or id `none` undoes one; in a file it is the name of a column.
    pub(super) fn over(&self, stands: &Reading) -> Reading {
        let or_none = |given: &Option<String>, stands: &Option<String>| {
            given.clone().or_else(|| stands.clone()).filter(|_| given.as_deref() != Some("none"))
        };
        Reading {
            label: or_none(&self.label, &stands.label),
            id: or_none(&self.id, &stands.id),
            text: or_none(&self.text, &stands.text),
            delimiter: self.delimiter.or(stands.delimiter),
            decimal: self.decimal.or(stands.decimal),
            array: self.array.clone().or_else(|| stands.array.clone()),
            header: self.header.or(stands.header),
            image_size: self.image_size.or(stands.image_size),
            color: self.color.or(stands.color),
            skip_broken: self.skip_broken.or(stands.skip_broken),
        }
    }

    /// The training and test rows of the named data.
    pub(super) fn split(options: &Options, data: &Path) -> Result<Split> {
        if is_stdin(data) {
            return Err(Error::Argument {
                name: "--data".into(),
                problem: "- is stdin, which can't be read twice to train and to test".into(),
                remedy: "Write the rows to a .csv file and name that.".into(),
            });
        }
        options.open(data)
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::default();
        if let Some(label) = &self.label {
            options = options.label(column(label));
        }
        if let Some(id) = &self.id {
            options = options.id(column(id));
        }
        if let Some(text) = &self.text {
            options = options.text(column(text));
        }
        if let Some(delimiter) = self.delimiter {
            options = options.delimiter(delimiter);
        }
        if let Some(decimal) = self.decimal {
            options = options.decimal(decimal);
        }
        if let Some(array) = &self.array {
            options = options.array(array);
        }
        if let Some(header) = self.header {
            options = options.header(header);
        }
        let options = match self.image_size {
            Some(Size::Pixels(height, width)) => options.image_size(height, width),
            Some(Size::Said(No::None)) => options.no_pictures(),
            None => options,
        };
        options.color(self.color == Some(true)).skip_broken(self.skip_broken == Some(true))
    }
}

/// Training and test rows for a trained network: the named ones, or those of its run.
#[derive(Args)]
pub(super) struct Halves {
    /// builtin, mnist, a folder with the four IDX files of MNIST, a folder of images, a table, an .npy or .npz file.
    /// [default: the data of the run]
    #[arg(long, value_name = "builtin|mnist|PATH")]
    data: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

/// Whether the name of rows stands for those that come from stdin.
fn is_stdin(data: &Path) -> bool {
    data == Path::new("-")
}

/// Rejects other rows than those that a run was trained and tested on. A run without a record says nothing of them.
pub(super) fn check_rows(folder: &Path, split: &Split, data: &Path) -> Result<()> {
    let record = folder.join("run.json");
    match record.try_exists().unwrap_or(true).then(|| About::read(&record)).transpose()?.and_then(|about| about.sha256) {
        Some(known) if !has_fingerprint(split, &known) => Err(Error::Data {
            path: data.into(),
            problem: format!("these are not the data that the run in {} was trained and tested on, by their SHA-256", folder.display()),
            remedy: "Put those back, or name what is to be used in their place: --data.".into(),
        }),
        _ => Ok(()),
    }
}

/// Whether these are the rows that a run was trained and tested on; none where it has no record.
fn is_known(folder: &Path, split: &Split) -> Option<bool> {
    let about = About::read(&folder.join("run.json")).ok()?;
    Some(has_fingerprint(split, &about.sha256?))
}

impl Halves {
    /// Whether other rows than those of the run are named.
    pub(super) fn is_named(&self) -> bool {
        self.data.is_some()
    }

    /// The size of images that is named.
    pub(super) fn image_size(&self) -> Option<Size> {
        self.reading.image_size
    }

    /// Without that size, where it says how pictures are written and the rows are those of the run.
    pub(super) fn without_image_size(&self) -> Halves {
        Halves { data: self.data.clone(), reading: Reading { image_size: None, ..self.reading.clone() } }
    }

    /// The rows, and their name. Those of a run are as its record has them; a line says when named ones are others.
    pub(super) fn open(&self, model: &Path, ae: &Autoencoder, common: &Common) -> Result<(Split, PathBuf)> {
        let (split, name) = self.rows(model, ae)?;
        common.note(&split.notes());
        let checked = run_of(model).map_or(Ok(()), |folder| check_rows(folder, &split, &name));
        match (checked, &self.data) {
            (Err(Error::Data { path, problem, .. }), Some(_)) => common.say(format_args!("{}: {problem}", path.display())),
            (checked, _) => checked?,
        }
        Ok((split, name))
    }

    /// The rows whose scores are judged by their labels, or by those in the column `label`: of the run's own data and
    /// of data in parts the test rows, else all. `split` is what [`Halves::open`] has given.
    pub(super) fn labelled(&self, model: &Path, ae: &Autoencoder, split: &Split, label: Option<&str>) -> Result<Dataset> {
        let of = |reading: &Reading| match label {
            Some(label) => Reading { label: Some(label.into()), ..reading.clone() },
            None => reading.clone(),
        };
        let Some(data) = &self.data else {
            let Some(folder) = run_of(model).filter(|_| label.is_some()) else { return Ok(split.test.clone()) };
            let mut source = Settings::read(folder)?.data;
            source.reading = of(&source.reading);
            return Ok(source.open(Some(ae))?.test);
        };
        let options = known(of(&self.reading).over(&Reading::default()).options(), ae);
        match Halves::has_parts(model, split, &options, data) {
            true => Ok(Reading::split(&options, data)?.test),
            false => options.read(data),
        }
    }

    /// Whether data are in parts: by themselves, or because the run was trained on one of them and tested on the other.
    fn has_parts(model: &Path, split: &Split, options: &Options, data: &Path) -> bool {
        let trained_on = run_of(model).is_some_and(|folder| is_known(folder, split).unwrap_or(false));
        trained_on || !(options.is_stream(data) || options.is_folder(data))
    }

    /// All rows of named data that have no parts: the network was trained on none of them. `split` is what
    /// [`Halves::open`] has given.
    pub(super) fn whole(&self, model: &Path, ae: &Autoencoder, split: &Split) -> Result<Option<Dataset>> {
        let Some(data) = &self.data else { return Ok(None) };
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        match Halves::has_parts(model, split, &options, data) {
            true => Ok(None),
            false => options.read(data).map(Some),
        }
    }

    fn rows(&self, model: &Path, ae: &Autoencoder) -> Result<(Split, PathBuf)> {
        if let Some(data) = &self.data {
            let options = known(self.reading.over(&Reading::default()).options(), ae);
            return Ok((Reading::split(&options, data)?, data.clone()));
        }
        if !self.reading.is_default() {
            return Err(Error::Argument {
                name: "data".into(),
                problem: "there are options for reading it, but it is not named".into(),
                remedy: "Add --data.".into(),
            });
        }
        match run_of(model) {
            Some(folder) => {
                let settings = Settings::read(folder)?;
                Ok((settings.data.open(Some(ae))?, settings.data().into()))
            }
            None => Err(Error::Argument {
                name: "data".into(),
                problem: format!("{} is not in the folder of a run, so nothing says what it was trained on", model.display()),
                remedy: "Name the rows: --data builtin, mnist or a path.".into(),
            }),
        }
    }
}

/// With what the network knows of the columns of its tables.
pub(super) fn known(options: Options, ae: &Autoencoder) -> Options {
    match ae.schema() {
        Some(schema) => options.schema(schema),
        None => options,
    }
}

/// What a file holds a line of.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Rows,
    Codes,
}

/// The rows to run through a trained network.
#[derive(Args)]
pub(super) struct Input {
    /// A .csv, .npy or .npz file, - for CSV or npy from stdin, a folder of images, a single image, a folder with IDX
    /// files, builtin or mnist; for a model of texts also a folder of .txt files, or one of them.
    #[arg(long, value_name = "PATH|-")]
    data: PathBuf,
    /// The part of data in two parts: train or test. [default: test]
    #[arg(long, value_name = "PART", value_parser = ["train", "test"])]
    part: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

impl Input {
    /// All rows of a file or of a folder of images, or one part of data in two parts.
    pub(super) fn open(&self, ae: &Autoencoder, of: Of) -> Result<Chunks> {
        let rows = self.rows(ae, of)?;
        Ok(if self.reading.without_ids() { rows.without_ids() } else { rows })
    }

    fn rows(&self, ae: &Autoencoder, of: Of) -> Result<Chunks> {
        let options = self.reading.over(&Reading::default()).options();
        let options = match of {
            Of::Rows => known(options, ae),
            Of::Codes => options.schema(&Schema::of_numbers(numbered("code", ae.code_width()))),
        };
        if is_stdin(&self.data) {
            self.whole_only()?;
            return options.stream_from("stdin", std::io::stdin());
        }
        if options.is_stream(&self.data) {
            self.whole_only()?;
            return options.stream(&self.data);
        }
        if options.is_folder(&self.data) {
            self.whole_only()?;
            return Ok(options.read(&self.data)?.chunks());
        }
        Ok(self.of_two(options.open(&self.data)?).chunks())
    }

    /// The part that is named, of data that have two.
    fn of_two(&self, split: Split) -> Dataset {
        if self.part.as_deref() == Some("train") { split.train } else { split.test }
    }

    /// Refuses to name a part of data that have none.
    fn whole_only(&self) -> Result<()> {
        match self.part {
            None => Ok(()),
            Some(_) => Err(Error::Argument {
                name: "--part".into(),
                problem: format!("{} is one part, and all of its rows are taken", self.data.display()),
                remedy: "Leave it out.".into(),
            }),
        }
    }

    /// The same rows with their labels, all in memory.
    pub(super) fn whole(&self, ae: &Autoencoder) -> Result<Dataset> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        if is_stdin(&self.data) {
            let remedy = "Write the rows to a .csv file and name that.".into();
            return Err(Error::Argument { name: "--data".into(), problem: "- is stdin, which has no end to wait for".into(), remedy });
        }
        if options.is_stream(&self.data) || options.is_folder(&self.data) {
            self.whole_only()?;
            return options.read(&self.data);
        }
        Ok(self.of_two(options.open(&self.data)?))
    }

    /// Whether a file that is to be written would take the place of these rows.
    pub(super) fn is_at(&self, out: &Path) -> bool {
        if is_stdin(&self.data) {
            return Handle::stdin().and_then(|stdin| Ok(stdin == Handle::from_path(out)?)).unwrap_or(false);
        }
        let inside = || Some(out.canonicalize().ok()?.starts_with(self.data.canonicalize().ok()?));
        is_same(out, &self.data) || ends_in(out, "png") && inside() == Some(true)
    }
}
