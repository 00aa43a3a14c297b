//! Tables in CSV: numbers between commas, a header or none, at most one column of labels.
//!
//! The first line is a header if none of its fields (the label aside) is a number and not all are empty.
//! A line that is half names and half numbers is an error: the reader does not guess. A row may take 16 MiB; memory
//! grows only with what has been read.

use super::{Column, Dataset, Options, Values, check_rows};
use crate::{Error, Result};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes of one row.
const ROW_BYTES: usize = 16 << 20;
const NUMBERS: &str = "Every field must be a finite number such as 1.5 or -2e-3; name the column of labels and drop other columns of text.";

/// A table being read.
pub(super) struct CsvRows {
    path: PathBuf,
    reader: Reader<Limited>,
    seen: Arc<Mutex<Seen>>,
    /// The row that was read last; the first one waits here until it is asked for.
    record: ByteRecord,
    waiting: bool,
    names: Option<Vec<String>>,
    label: Option<usize>,
    fields: usize,
}

/// Reads on only while the current row may still grow.
struct Limited {
    source: Box<dyn Read + Send>,
    seen: Arc<Mutex<Seen>>,
}

/// What passed through [`Limited`].
#[derive(Default)]
struct Seen {
    /// Bytes that the current row may still take.
    allowance: usize,
    /// Bytes read before the last piece, and that piece.
    before: u64,
    piece: Vec<u8>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut seen = lock(&self.seen);
        if seen.allowance == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the row is too long"));
        }
        let count = self.source.read(buffer)?;
        if count > 0 {
            seen.allowance = seen.allowance.saturating_sub(count);
            seen.before += seen.piece.len() as u64;
            seen.piece.clear();
            seen.piece.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The classes found so far, by their texts, and the class of each row.
#[derive(Default)]
pub(super) struct Labels {
    classes: HashMap<Vec<u8>, u8>,
    rows: Vec<u8>,
}

impl CsvRows {
    /// Opens the file, or takes `source` under the name `path`, and reads the header.
    pub(super) fn open(path: &Path, source: Option<Box<dyn Read + Send>>, options: &Options) -> Result<CsvRows> {
        let source = match source {
            Some(source) => source,
            None => Box::new(File::open(path).map_err(|e| Error::io(path, "opening", e))?),
        };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let limited = Limited { source, seen: seen.clone() };
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 16).from_reader(limited);
        let mut table = CsvRows {
            path: path.to_path_buf(),
            reader,
            seen,
            record: ByteRecord::new(),
            waiting: false,
            names: None,
            label: None,
            fields: 0,
        };
        if !table.advance()? {
            return Err(Error::data(path, "the table is empty", "Give at least one line of numbers."));
        }
        table.fields = table.record.len();
        let texts: Vec<String> = table.record.iter().map(|field| String::from_utf8_lossy(field).trim().to_string()).collect();
        table.label = match &options.label {
            Some(Column::Index(at)) => Some(*at),
            Some(Column::Name(name)) => Some(texts.iter().position(|text| text == name).ok_or_else(|| {
                let shown: Vec<String> = texts.iter().take(20).map(|text| shorten(text)).collect();
                Error::data(
                    path,
                    format!("no column is called `{name}`: the first line is {}", shown.join(",")),
                    "Name one of these, or give its number.",
                )
            })?),
            None => None,
        };
        if let Some(Column::Name(name)) = &options.label
            && let count @ 2.. = texts.iter().filter(|text| *text == name).count()
        {
            return Err(Error::data(path, format!("{count} columns are called `{}`", shorten(name)), "Give its number, counted from 0."));
        }
        if let Some(at) = table.label.filter(|&at| at >= table.fields) {
            let problem = format!("the labels should be in column {at} (counted from 0), but there are {} columns", table.fields);
            return Err(Error::data(path, problem, "Give a smaller number."));
        }
        if table.columns() == 0 {
            return Err(Error::data(path, "there is no column besides the labels", "Give at least one column of numbers."));
        }
        let header = match options.header {
            Some(header) => header,
            None => matches!(options.label, Some(Column::Name(_))) || table.looks_like_header(&texts),
        };
        table.waiting = !header;
        if header {
            let label = table.label;
            table.names = Some(texts.into_iter().enumerate().filter(|(at, _)| Some(*at) != label).map(|(_, text)| text).collect());
        }
        Ok(table)
    }

    /// Reads the whole table.
    pub(super) fn everything(path: &Path, options: &Options) -> Result<Dataset> {
        let mut table = CsvRows::open(path, None, options)?;
        let (mut values, mut labels) = (Vec::new(), Labels::default());
        while table.take(1024, &mut values, Some(&mut labels))? > 0 {}
        let columns = check_rows(&path.display().to_string(), values.len(), &[table.columns()])?;
        let data = Dataset::trusted(&path.display().to_string(), Values::Floats(values), &[columns], None);
        if table.label.is_none() {
            return Ok(data);
        }
        let (labels, classes) = labels.finish();
        let data = data.with_labels(labels)?;
        Ok(match classes {
            Some(classes) => data.with_classes(classes),
            None => data,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The numbers in a row, the label aside.
    pub(super) fn columns(&self) -> usize {
        self.fields - usize::from(self.label.is_some())
    }

    /// Appends up to `rows` rows, with their labels if wanted; returns how many there were.
    pub(super) fn take(&mut self, rows: usize, values: &mut Vec<f32>, mut labels: Option<&mut Labels>) -> Result<usize> {
        for row in 0..rows {
            if !std::mem::take(&mut self.waiting) && !self.advance()? {
                return Ok(row);
            }
            if self.record.len() != self.fields {
                let problem = format!("{} fields where the first line has {}", self.record.len(), self.fields);
                return Err(self.bad(None, problem, "Give every row the same number of fields."));
            }
            for (at, field) in self.record.iter().enumerate() {
                if Some(at) != self.label {
                    values.push(number(field).map_err(|problem| self.bad(Some(at), problem, NUMBERS))?);
                } else if let Some(labels) = &mut labels {
                    labels.push(field).map_err(|problem| self.bad(Some(at), problem, "Name another column."))?;
                }
            }
        }
        Ok(rows)
    }

    /// Reads the next row; false at the end.
    fn advance(&mut self) -> Result<bool> {
        lock(&self.seen).allowance = ROW_BYTES;
        self.reader.read_byte_record(&mut self.record).map_err(|e| {
            let line = self.reader.position().line();
            match e.into_kind() {
                ErrorKind::Io(e) if e.kind() == io::ErrorKind::FileTooLarge => Error::data(
                    &self.path,
                    format!("line {line}: the row takes more than {} MiB", ROW_BYTES >> 20),
                    "Check that the file is CSV, and that every quotation mark is closed.",
                ),
                ErrorKind::Io(e) => Error::io(&self.path, "reading", e),
                other => Error::data(&self.path, format!("line {line}: {other:?}"), "Check that the file is CSV."),
            }
        })
    }

    /// The line on which the row just read begins, counted from 1. The reader's own position would give
    /// that of any blank lines before it.
    fn line(&self) -> u64 {
        let end = self.reader.position();
        let seen = lock(&self.seen);
        // The reader has passed the end of the row, which may be a line end, the first half of one, or the end of the
        // file.
        let last = end.byte().checked_sub(seen.before + 1).and_then(|at| seen.piece.get(at as usize));
        let inside = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
        end.line().saturating_sub(inside + u64::from(last == Some(&b'\n')))
    }

    fn looks_like_header(&self, texts: &[String]) -> bool {
        let mut fields = texts.iter().enumerate().filter(|(at, text)| Some(*at) != self.label && !text.is_empty()).peekable();
        fields.peek().is_some() && fields.all(|(_, text)| text.parse::<f32>().is_err())
    }

    fn bad(&self, column: Option<usize>, problem: String, remedy: &str) -> Error {
        let line = self.line();
        let column = match column {
            None => String::new(),
            Some(at) => {
                let name_at = at - usize::from(self.label.is_some_and(|label| label < at));
                let name = self.names.as_ref().filter(|_| Some(at) != self.label).map(|names| format!(" (`{}`)", shorten(&names[name_at])));
                format!(", column {}{}", at + 1, name.unwrap_or_default())
            }
        };
        let remedy = match line {
            1 => format!("{remedy} If this line is a header, say so."),
            _ => remedy.to_string(),
        };
        Error::data(&self.path, format!("line {line}{column}: {problem}"), remedy)
    }
}

impl Labels {
    fn push(&mut self, field: &[u8]) -> std::result::Result<(), String> {
        let text = field.trim_ascii();
        if text.is_empty() {
            return Err("the label is empty".into());
        }
        let next = self.classes.len();
        let class = match self.classes.get(text) {
            Some(class) => *class,
            None => {
                let class = u8::try_from(next).map_err(|_| "this is the 257th label, and 256 is the limit".to_string())?;
                self.classes.insert(text.to_vec(), class);
                class
            }
        };
        self.rows.push(class);
        Ok(())
    }

    /// The label of each row: the number itself where all are whole numbers from 0 to 255, else the index of its text
    /// in the sorted list, which is returned too.
    fn finish(self) -> (Vec<u8>, Option<Vec<String>>) {
        let mut texts: Vec<(Vec<u8>, u8)> = self.classes.into_iter().collect();
        texts.sort();
        let mut places = [0u8; 256];
        let whole = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u8>().ok();
        let numbers = texts.iter().all(|(text, _)| whole(text).is_some());
        for (place, (text, class)) in texts.iter().enumerate() {
            places[usize::from(*class)] = whole(text).filter(|_| numbers).unwrap_or(place as u8);
        }
        let names = texts.iter().map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
        (self.rows.iter().map(|&class| places[usize::from(class)]).collect(), if numbers { None } else { Some(names) })
    }
}

/// The number in a field.
fn number(field: &[u8]) -> std::result::Result<f32, String> {
    let text = field.trim_ascii();
    if text.is_empty() {
        return Err("the field is empty".into());
    }
    let shown = || shorten(&String::from_utf8_lossy(text));
    match std::str::from_utf8(text).ok().and_then(|text| text.parse::<f32>().ok()) {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(format!("`{}` is not finite as a 32-bit float", shown())),
        None => Err(format!("`{}` is not a number", shown())),
    }
}

/// At most 40 characters, with no control characters.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        short.push_str("...");
    }
    short
}
