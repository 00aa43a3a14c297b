//! Data sets by name: the kind of a path decides how it is read.

use super::chunks::Chunks;
use super::dataset::{Dataset, Split, split_rows};
use super::digits::builtin;
use super::folder::{What, has_parts, is_image};
use super::schema::{Missing, Schema};
use super::table::Table;
use super::table_rows::TableRows;
use super::text::Wanted;
use super::texts::{self, Texts};
use super::words::Weighting;
use super::{idx, images, mnist, npy, npy::NpyRows, npz::Npz};
use crate::{Error, Result};
use std::fmt::Display;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Its number, counted from 0.
    Index(usize),
    /// Its name in the header.
    Name(String),
}

impl From<usize> for Column {
    fn from(index: usize) -> Column {
        Column::Index(index)
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Column {
        Column::Name(name.into())
    }
}

/// How files are read, where they do not say so themselves.
///
/// ```no_run
/// let iris = narrows::data::Options::default().label("species").open("iris.csv")?;
/// assert_eq!(iris.train.columns(), 4);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(super) header: Option<bool>,
    pub(super) label: Option<Column>,
    pub(super) array: Option<String>,
    /// `Some(None)`: no pictures, whatever the columns look like.
    pub(super) image_size: Option<Option<(usize, usize)>>,
    pub(super) color: bool,
    pub(super) id: Option<Column>,
    pub(super) drop: Vec<Column>,
    pub(super) text: Option<Column>,
    pub(super) words: Option<usize>,
    pub(super) weighting: Weighting,
    pub(super) categorical: Vec<Column>,
    pub(super) missing: Missing,
    pub(super) delimiter: Option<char>,
    pub(super) decimal: Option<char>,
    pub(super) skip_broken: bool,
    pub(super) schema: Option<Arc<Schema>>,
}

/// The share of the rows to test with, where data come in one part.
pub(super) const TEST: f64 = 1.0 / 6.0;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Builtin,
    Mnist,
    Idx,
    /// A folder of images, or one.
    Images,
    /// A folder of texts, or one.
    Texts,
    Csv,
    Npy,
    Npz,
}

impl Options {
    /// CSV: whether the first line names the columns. By default it does if none of its fields, the label aside, is a
    /// number.
    pub fn header(mut self, header: bool) -> Options {
        self.header = Some(header);
        self
    }

    /// CSV: the column with the labels, which is not part of the rows. A column given by name implies a header. npz:
    /// the array of the labels, by its name.
    pub fn label(mut self, column: impl Into<Column>) -> Options {
        self.label = Some(column.into());
        self
    }

    /// npz: the array of the rows. By default the only one beside the labels, or one called `X` or `x_train`.
    pub fn array(mut self, name: &str) -> Options {
        self.array = Some(name.into());
        self
    }

    /// Folders of images: the size to which each is scaled. By default, the size of the first in the order of the
    /// names. Tables: the size of the pictures whose pixels the columns are. By default, columns are taken for pixels
    /// if all their fields are whole numbers from 0 to 255, some of them at least 128, and they fill a square of 8x8 or
    /// more.
    pub fn image_size(mut self, height: usize, width: usize) -> Options {
        self.image_size = Some(Some((height, width)));
        self
    }

    /// Tables: the columns are not the pixels of pictures.
    pub fn no_pictures(mut self) -> Options {
        self.image_size = Some(None);
        self
    }

    /// Folders of images: whether they keep their colours, in three channels. By default they turn grey, which is
    /// 0.2126 R + 0.7152 G + 0.0722 B (Rec. 709).
    pub fn color(mut self, color: bool) -> Options {
        self.color = color;
        self
    }

    /// Tables: the column with the ids of the rows, which is not part of them and is written beside what they give.
    pub fn id(mut self, column: impl Into<Column>) -> Options {
        self.id = Some(column.into());
        self
    }

    /// Tables: columns that are left out.
    pub fn drop<C: Into<Column>>(mut self, columns: impl IntoIterator<Item = C>) -> Options {
        self.drop.extend(columns.into_iter().map(C::into));
        self
    }

    /// Tables: columns whose fields are names, even where they look like numbers. A column without any number is one
    /// anyway.
    pub fn categorical<C: Into<Column>>(mut self, columns: impl IntoIterator<Item = C>) -> Options {
        self.categorical.extend(columns.into_iter().map(C::into));
        self
    }

    /// Tables: the column of texts, whose words make the rows; of the other columns only a label and an id are kept. A
    /// row has a number for each of the most frequent words of the training rows, [`Options::words`] of them, by
    /// [`Options::weighting`]. Words are what Unicode's boundaries say (UAX #29), in lower case; a Chinese character is
    /// one, and an emoji. An empty field has no words: a row of zeros, unless gaps are dropped.
    ///
    /// A folder of `.txt` files is read so without being told: each file is a text, and each sub-folder a class.
    pub fn text(mut self, column: impl Into<Column>) -> Options {
        self.text = Some(column.into());
        self
    }

    /// Texts: how many words make a row, 1 to 65,536. Default 2,000, as in Hinton and Salakhutdinov 2006.
    pub fn words(mut self, words: usize) -> Options {
        self.words = Some(words);
        self
    }

    /// Texts: what a row holds for each word; see [`Weighting`].
    pub fn weighting(mut self, weighting: Weighting) -> Options {
        self.weighting = weighting;
        self
    }

    /// Tables: what becomes of a gap; see [`Missing`]. By default it is an error.
    pub fn missing(mut self, missing: Missing) -> Options {
        self.missing = missing;
        self
    }

    /// Leaves out what can't be read, where it would be an error by default: of a table, lines with another number of
    /// fields than the first, those that do not fit what is known of the columns, and, where that is learnt, those with
    /// a text in a column that has a hundred times as many numbers; of a folder, images and texts that can't be
    /// decoded. The notes of the rows say how many, and what is wrong with the first.
    pub fn skip_broken(mut self, skip: bool) -> Options {
        self.skip_broken = skip;
        self
    }

    /// Tables: what stands between two fields, such as `;` or a tab. By default it is found in the first lines.
    pub fn delimiter(mut self, delimiter: char) -> Options {
        self.delimiter = Some(delimiter);
        self
    }

    /// Tables: what stands before the decimals, a point or a comma. By default it is found in the first lines.
    pub fn decimal(mut self, decimal: char) -> Options {
        self.decimal = Some(decimal);
        self
    }

    /// Tables: what the columns are, as it was learnt from other rows. Columns are matched by their names, or by their
    /// places where the file has no header.
    pub fn schema(mut self, schema: &Schema) -> Options {
        self.schema = Some(Arc::new(schema.clone()));
        self
    }

    /// What is said of the text of a table; else what was said when the schema was learnt.
    pub(super) fn wanted(&self) -> Result<Wanted> {
        let known = |f: fn(&Schema) -> Option<char>| self.schema.as_deref().and_then(f);
        let byte = |name: &str, sign: Option<char>| match sign.map(u8::try_from) {
            None => Ok(None),
            Some(Ok(byte)) if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'\n' | b'\r' | b'"') => Ok(Some(byte)),
            _ => Err(Error::argument(name, format!("it is {sign:?}"), "Use one sign of ASCII, such as , or ;")),
        };
        Ok(Wanted {
            delimiter: byte("delimiter", self.delimiter.or_else(|| known(|schema| schema.delimiter)))?,
            decimal: byte("decimal", self.decimal.or_else(|| known(|schema| schema.decimal)))?,
        })
    }

    /// All columns that are said by name or place.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.label.iter().chain(&self.id).chain(&self.text).chain(&self.drop).chain(&self.categorical)
    }

    /// Reads a table whole, and splits it where there is a fraction: what its columns are is learnt from the first
    /// part.
    fn table(&self, path: &Path, test: Option<f64>) -> Result<(Dataset, Option<Dataset>)> {
        if self.schema.is_some() {
            let all = TableRows::everything(path, self)?;
            return Ok(match test {
                Some(fraction) => all.split(fraction, 0).map(|(train, test)| (train, Some(test)))?,
                None => (all, None),
            });
        }
        let parts = |rows: usize| match test {
            Some(fraction) => split_rows(&path.display().to_string(), rows, fraction, 0),
            None => Ok(((0..rows as u32).collect(), Vec::new())),
        };
        if let Some(text) = &self.text {
            let texts = Texts::read(path, text, self)?;
            let (train, test) = parts(texts.len())?;
            let schema = texts.schema(&train, self)?;
            let test = (!test.is_empty()).then(|| texts.rows(&schema, &test)).transpose()?;
            return Ok((texts.rows(&schema, &train)?, test));
        }
        let mut table = Table::read(path, self)?;
        let (train, test) = parts(table.len())?;
        let schema = Arc::new(table.learn(&train, self)?);
        let test = (!test.is_empty()).then(|| table.rows(&schema, &test)).transpose()?;
        Ok((table.rows(&schema, &train)?, test))
    }

    /// As [`open`](super::open), with these options.
    ///
    /// # Errors
    /// As [`open`](super::open); or an option that does not apply to such data.
    pub fn open(&self, name: impl AsRef<Path>) -> Result<Split> {
        let path = name.as_ref();
        match self.kind(path)? {
            Kind::Builtin => Ok(builtin()),
            Kind::Mnist => mnist(None),
            Kind::Idx => idx::open(path),
            Kind::Images => images::open(path, self),
            Kind::Texts => texts::open(path, self),
            Kind::Csv => {
                let (train, test) = self.table(path, Some(TEST))?;
                let test = test.unwrap_or_else(|| train.head(0));
                Ok(parts(path.display(), train, test))
            }
            Kind::Npy | Kind::Npz => at_random(self.read(path)?),
        }
    }

    /// Reads all rows of a CSV file, an npy or npz file, a folder of images or a single image. A model of texts (their
    /// schema) takes a `.txt` file for one text, unless it is a table: one of its columns is said, or its first line
    /// names the one that the model was trained on.
    ///
    /// # Errors
    /// A path that is none of these, or a fault in the file, with its line or offset.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        let path = path.as_ref();
        match self.kind(path)? {
            Kind::Csv => Ok(self.table(path, None)?.0),
            Kind::Npy => NpyRows::open(path)?.everything(),
            Kind::Npz => Npz::open(path)?.everything(self.array.as_deref(), self.label_array()?),
            Kind::Images if !has_parts(path)? => images::read(path, self),
            Kind::Texts if !has_parts(path)? => texts::read(path, self),
            Kind::Builtin | Kind::Mnist | Kind::Idx | Kind::Images | Kind::Texts => {
                Err(Error::data(path, "this is a data set of two parts", "Use `open`, which gives both."))
            }
        }
    }

    /// The rows of a CSV, npy or npz file a chunk at a time; a file of any size takes little memory, unless it is an
    /// array in Fortran order.
    ///
    /// # Errors
    /// A path that is neither, or a wrong header. A fault further down is an error of the iterator.
    pub fn stream(&self, path: impl AsRef<Path>) -> Result<Chunks> {
        let path = path.as_ref();
        match self.kind(path)? {
            Kind::Csv => Ok(TableRows::open(path, None, self)?.into()),
            Kind::Npy => Ok(NpyRows::open(path)?.into()),
            Kind::Npz => Ok(Npz::open(path)?.rows(self.array.as_deref(), self.label_array()?)?.into()),
            _ => Err(Error::data(path, "only a .csv, .npy or .npz file can be streamed", "Use `read` or `open`.")),
        }
    }

    /// The rows of CSV or npy from a pipe, a chunk at a time: the first bytes tell which of the two it is. A thread
    /// reads ahead, and a chunk ends where there is nothing more to read for now. Errors call it `name`.
    ///
    /// # Errors
    /// As [`Options::stream`]; or an option for CSV when the source is npy.
    pub fn stream_from(&self, name: &str, mut source: impl Read + Send + 'static) -> Result<Chunks> {
        let path = Path::new(name);
        let mut start = Vec::new();
        (&mut source).take(npy::MAGIC.len() as u64).read_to_end(&mut start).map_err(|e| Error::io(path, "reading", e))?;
        let is_npy = start == npy::MAGIC;
        let source = Box::new(Cursor::new(start).chain(source));
        let rows: Chunks = match is_npy {
            true if self.label.is_some() || self.header.is_some() || self.array.is_some() => {
                return Err(Error::argument(
                    "label, header, array",
                    format!("{name} is npy, and these options are for CSV and npz"),
                    "Leave them out.",
                ));
            }
            true => NpyRows::piped(path, source)?.into(),
            false => TableRows::open(path, Some(source), self)?.into(),
        };
        rows.read_ahead()
    }

    /// Whether [`Options::stream`] can read this.
    pub fn is_stream(&self, name: impl AsRef<Path>) -> bool {
        matches!(self.kind(name.as_ref()), Ok(Kind::Csv | Kind::Npy | Kind::Npz))
    }

    /// Whether this is a folder of images or of texts without training and test parts, or a single image; for a model
    /// of texts also a single `.txt` file.
    pub fn is_folder(&self, name: impl AsRef<Path>) -> bool {
        let path = name.as_ref();
        self.kind(path).is_ok_and(|kind| matches!(kind, Kind::Images | Kind::Texts)) && has_parts(path).is_ok_and(|has| !has)
    }

    /// The array of the labels in an npz file.
    fn label_array(&self) -> Result<Option<&str>> {
        match &self.label {
            None => Ok(None),
            Some(Column::Name(name)) => Ok(Some(name)),
            Some(Column::Index(at)) => {
                Err(Error::argument("label", format!("{at} is no name of an array"), "Name the array of the labels."))
            }
        }
    }

    /// The options for each of two data sets that are read together: what applies to one of them alone is for that one.
    /// Beside a table, a `.txt` file is a text for a model of texts.
    ///
    /// # Errors
    /// An option that applies to neither, or a folder that can't be listed.
    pub fn apart(&self, one: impl AsRef<Path>, other: impl AsRef<Path>) -> Result<[Options; 2]> {
        let paths = [one.as_ref(), other.as_ref()];
        let bare = Options { schema: self.schema.clone(), ..Options::default() };
        let kinds = |options: &Options| Ok::<_, Error>([options.guess(paths[0])?, options.guess(paths[1])?]);
        let (said, bare) = (kinds(self)?, kinds(&bare)?);
        let unsuited = [0, 1].map(|at| self.unsuited(if bare[1 - at] == Kind::Csv { bare[at] } else { said[at] }));
        match unsuited[0].iter().find(|(option, _)| unsuited[1].iter().any(|(other, _)| option == other)) {
            Some((option, of)) => Err(unused(paths[0], option, of)),
            None => Ok(unsuited.map(|all| all.iter().fold(self.clone(), |options, (option, _)| options.without(option)))),
        }
    }

    /// The kind of data that the name stands for, if the options suit it.
    fn kind(&self, path: &Path) -> Result<Kind> {
        let kind = self.guess(path)?;
        match self.unsuited(kind).first() {
            Some((option, of)) => Err(unused(path, option, of)),
            None => Ok(kind),
        }
    }

    /// The kind of data that the name stands for.
    fn guess(&self, path: &Path) -> Result<Kind> {
        let ending = |ending: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        Ok(match path.to_str() {
            Some("builtin") => Kind::Builtin,
            Some("mnist") => Kind::Mnist,
            _ if idx::is_one(path) => Kind::Idx,
            _ if path.is_dir() => match What::of(path)? {
                What::Images => Kind::Images,
                What::Texts => Kind::Texts,
            },
            _ if texts::is_one(path, self) => Kind::Texts,
            _ if is_text(path) => Kind::Csv,
            _ if ending("npy") => Kind::Npy,
            _ if ending("npz") => Kind::Npz,
            _ if is_image(path)? => Kind::Images,
            _ => Kind::Idx,
        })
    }

    /// The options that are said and do not apply to such data, each with what it is for.
    fn unsuited(&self, kind: Kind) -> Vec<(&'static str, &'static str)> {
        let tables = |option, said| (said, option, "a CSV file", &[Kind::Csv][..]);
        let all = [
            (self.image_size.is_some(), "image size", "a folder of images or a CSV file", &[Kind::Images, Kind::Csv][..]),
            (self.color, "color", "a folder of images", &[Kind::Images]),
            (self.label.is_some(), "label", "a CSV or npz file", &[Kind::Csv, Kind::Npz]),
            (self.array.is_some(), "array", "an npz file", &[Kind::Npz]),
            tables("text", self.text.is_some()),
            (
                self.words.is_some() && self.text.is_none() && self.schema.is_none(),
                "words",
                "a folder of texts, and no column is said to be one (--text)",
                &[Kind::Texts],
            ),
            tables("header", self.header.is_some()),
            tables("id", self.id.is_some()),
            tables("drop", !self.drop.is_empty()),
            tables("categorical", !self.categorical.is_empty()),
            tables("missing", self.missing != Missing::Error),
            tables("delimiter", self.delimiter.is_some()),
            tables("decimal", self.decimal.is_some()),
            (self.skip_broken, "skip broken", "a CSV file, or a folder of images or texts", &[Kind::Csv, Kind::Images, Kind::Texts]),
        ];
        let unsuited = all.into_iter().filter(|(said, _, _, suits)| *said && !suits.contains(&kind));
        unsuited.map(|(_, option, of, _)| (option, of)).collect()
    }

    /// The same without this one.
    fn without(mut self, option: &str) -> Options {
        match option {
            "image size" => self.image_size = None,
            "color" => self.color = false,
            "label" => self.label = None,
            "array" => self.array = None,
            "text" => self.text = None,
            "words" => self.words = None,
            "header" => self.header = None,
            "id" => self.id = None,
            "drop" => self.drop.clear(),
            "categorical" => self.categorical.clear(),
            "missing" => self.missing = Missing::Error,
            "delimiter" => self.delimiter = None,
            "skip broken" => self.skip_broken = false,
            _ => self.decimal = None,
        }
        self
    }
}

fn unused(path: &Path, option: &str, of: &str) -> Error {
    Error::argument(option, format!("{} is not {of}", path.display()), "Leave this option out.")
}

/// Whether the name is that of a table in text, packed or not.
fn is_text(path: &Path) -> bool {
    let ends = |path: &Path, endings: &[&str]| path.extension().is_some_and(|e| endings.iter().any(|known| e.eq_ignore_ascii_case(known)));
    let inner = if ends(path, &["gz"]) { path.with_extension("") } else { path.into() };
    ends(&inner, &["csv", "tsv", "txt", "dat"])
}

/// Splits data in one part: 5/6 to train on, 1/6 to test.
pub(super) fn at_random(data: Dataset) -> Result<Split> {
    let (train, test) = data.split(TEST, 0)?;
    Ok(parts(data.name(), train, test))
}

fn parts(name: impl Display, train: Dataset, test: Dataset) -> Split {
    let named = |rows: Dataset, part: &str| rows.named(&format!("{name} ({part})"));
    Split::new(named(train, "train"), named(test, "test"))
}
