//! Data sets by name: the kind of a path decides how it is read.

use super::{Chunks, Dataset, Split, builtin, csv::CsvRows, idx, images, mnist, npy, npy::NpyRows};
use crate::{Error, Result};
use std::io::{Cursor, Read};
use std::path::Path;

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
    pub(super) image_size: Option<(usize, usize)>,
    pub(super) color: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Builtin,
    Mnist,
    Idx,
    Images,
    Csv,
    Npy,
}

impl Options {
    /// CSV: whether the first line names the columns. By default it does if none of its fields, the label aside, is a
    /// number.
    pub fn header(mut self, header: bool) -> Options {
        self.header = Some(header);
        self
    }

    /// CSV: the column with the labels, which is not part of the rows. A column given by name implies a header.
    pub fn label(mut self, column: impl Into<Column>) -> Options {
        self.label = Some(column.into());
        self
    }

    /// Folders of images: the size to which each is scaled. By default, the size of the first in the order of the
    /// names.
    pub fn image_size(mut self, height: usize, width: usize) -> Options {
        self.image_size = Some((height, width));
        self
    }

    /// Folders of images: whether they keep their colours, in three channels. By default they turn grey, which is
    /// 0.2126 R + 0.7152 G + 0.0722 B (Rec. 709).
    pub fn color(mut self, color: bool) -> Options {
        self.color = color;
        self
    }

    /// As [`open`](super::open), with these options.
    ///
    /// # Errors
    /// As [`open`](super::open); or an option that does not apply to such data.
    pub fn open(&self, name: &str) -> Result<Split> {
        let path = Path::new(name);
        match self.kind(name)? {
            Kind::Builtin => Ok(builtin()),
            Kind::Mnist => mnist(None),
            Kind::Idx => idx::open(path),
            Kind::Images => images::open(path, self),
            Kind::Csv | Kind::Npy => at_random(self.read(path)?),
        }
    }

    /// Reads all rows of a CSV file, an npy file or a folder of images.
    ///
    /// # Errors
    /// A path that is none of these, or a fault in the file, with its line or offset.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        let path = path.as_ref();
        match self.kind(&path.to_string_lossy())? {
            Kind::Csv => CsvRows::everything(path, self),
            Kind::Npy => NpyRows::everything(path),
            Kind::Images if !images::has_parts(path)? => images::read(path, self),
            Kind::Builtin | Kind::Mnist | Kind::Idx | Kind::Images => {
                Err(Error::data(path, "this is a data set of two parts", "Use `open`, which gives both."))
            }
        }
    }

    /// The rows of a CSV file or an npy file a chunk at a time; a file of any size takes little memory.
    ///
    /// # Errors
    /// A path that is neither, or a wrong header. A fault further down is an error of the iterator.
    pub fn stream(&self, path: impl AsRef<Path>) -> Result<Chunks> {
        let path = path.as_ref();
        match self.kind(&path.to_string_lossy())? {
            Kind::Csv => Ok(CsvRows::open(path, None, self)?.into()),
            Kind::Npy => Ok(NpyRows::open(path)?.into()),
            _ => Err(Error::data(path, "only a .csv or .npy file can be streamed", "Use `read` or `open`.")),
        }
    }

    /// The rows of CSV or npy from a pipe, a chunk at a time: the first bytes tell which of the two it is. Errors call
    /// it `name`.
    ///
    /// # Errors
    /// As [`Options::stream`]; or an option for CSV when the source is npy.
    pub fn stream_from(&self, name: &str, mut source: impl Read + Send + 'static) -> Result<Chunks> {
        let path = Path::new(name);
        let mut start = Vec::new();
        (&mut source).take(npy::MAGIC.len() as u64).read_to_end(&mut start).map_err(|e| Error::io(path, "reading", e))?;
        let is_npy = start == npy::MAGIC;
        let source = Box::new(Cursor::new(start).chain(source));
        match is_npy {
            true if self.label.is_some() || self.header.is_some() => {
                Err(Error::argument("label, header", format!("{name} is npy, and these options are for CSV"), "Leave them out."))
            }
            true => Ok(NpyRows::piped(path, source)?.into()),
            false => Ok(CsvRows::open(path, Some(source), self)?.into()),
        }
    }

    /// Whether [`Options::stream`] can read this.
    pub fn is_stream(&self, name: &str) -> bool {
        matches!(self.kind(name), Ok(Kind::Csv | Kind::Npy))
    }

    /// Whether this is a folder of images without training and test parts.
    pub fn is_images(&self, name: &str) -> bool {
        self.kind(name).is_ok_and(|kind| kind == Kind::Images) && images::has_parts(name.as_ref()).is_ok_and(|has| !has)
    }

    /// The kind of data that the name stands for, if the options suit it.
    fn kind(&self, name: &str) -> Result<Kind> {
        let path = Path::new(name);
        let ending = |ending: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        let kind = match name {
            "builtin" => Kind::Builtin,
            "mnist" => Kind::Mnist,
            _ if idx::is_one(path) => Kind::Idx,
            _ if path.is_dir() => Kind::Images,
            _ if ending("csv") => Kind::Csv,
            _ if ending("npy") => Kind::Npy,
            _ => Kind::Idx,
        };
        let unused = |option: &str, of: &str| Err(Error::argument(option, format!("{name} is not {of}"), "Leave this option out."));
        match kind {
            kind if kind != Kind::Images && self.image_size.is_some() => unused("image size", "a folder of images"),
            kind if kind != Kind::Images && self.color => unused("color", "a folder of images"),
            kind if kind != Kind::Csv && self.label.is_some() => unused("label", "a CSV file"),
            kind if kind != Kind::Csv && self.header.is_some() => unused("header", "a CSV file"),
            kind => Ok(kind),
        }
    }
}

/// Splits data in one part: 5/6 to train on, 1/6 to test.
pub(super) fn at_random(data: Dataset) -> Result<Split> {
    let (train, test) = data.split(1.0 / 6.0, 0)?;
    let named = |rows: Dataset, part: &str| rows.named(&format!("{} ({part})", data.name()));
    Ok(Split::new(named(train, "train"), named(test, "test")))
}
