//! The lines of a table in CSV: their fields, a header or none, and where each began.
//!
//! The first line is a header if none of its fields is a number and not all are empty, or if its first field is empty
//! and the others count up from 0, as pandas writes it. A line that is half names and half numbers is data: the reader
//! does not guess. A row may take 16 MiB; memory grows only with what has been read.

use super::broken::Broken;
use super::open::{Column, Options};
use super::schema::Cell;
use super::source::{Source, failed};
use super::text::{self, Dialect};
use crate::spelling::shorten;
use crate::{Error, Result};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes of one row.
const ROW_BYTES: usize = 16 << 20;

/// The lines of a file or a pipe.
pub(super) struct Lines {
    path: PathBuf,
    reader: Reader<Limited>,
    seen: Arc<Mutex<Seen>>,
    dialect: Dialect,
    /// The line that was read last; the first one waits here until it is asked for.
    record: ByteRecord,
    waiting: bool,
    names: Option<Vec<String>>,
    fields: usize,
    /// What was left out, if broken lines are.
    broken: Option<Broken>,
}

/// Reads on only while the current row may still grow.
struct Limited {
    source: Source,
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

impl Lines {
    /// Opens the file, or takes `source` under the name `path`, and reads the header.
    pub(super) fn open(path: &Path, source: Option<Source>, options: &Options) -> Result<Lines> {
        let source = match source {
            Some(source) => source,
            None => Box::new(File::open(path).map_err(|e| Error::io(path, "opening", e))?),
        };
        let (source, dialect) = text::open(path, source, options.wanted()?)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let limited = Limited { source, seen: seen.clone() };
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(dialect.delimiter).buffer_capacity(1 << 16);
        let mut lines = Lines {
            path: path.to_path_buf(),
            reader: builder.from_reader(limited),
            seen,
            dialect,
            record: ByteRecord::new(),
            waiting: false,
            names: None,
            fields: 0,
            broken: options.skip_broken.then(Broken::default),
        };
        if !lines.advance()? {
            return Err(Error::data(path, "the table is empty", "Give at least one line of numbers."));
        }
        lines.fields = lines.record.len();
        lines.waiting = !options.header.unwrap_or_else(|| lines.is_header(options));
        if !lines.waiting {
            lines.names = Some(lines.texts());
        }
        Ok(lines)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns, if there is a header.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    pub(super) fn fields(&self) -> usize {
        self.fields
    }

    /// How the dialect was found, a sentence each.
    pub(super) fn notes(&self) -> &[String] {
        &self.dialect.notes
    }

    /// Goes to the next line of data; false at the end.
    pub(super) fn next(&mut self) -> Result<bool> {
        loop {
            if !std::mem::take(&mut self.waiting) && !self.advance()? {
                return Ok(false);
            }
            if self.record.len() == self.fields {
                return Ok(true);
            }
            let (line, count) = (self.line(), self.record.len());
            let fields = if count == 1 { "field" } else { "fields" };
            let problem = format!("line {line}: {count} {fields} where the first line has {}", self.fields);
            let problem = match self.leave_out(problem) {
                Ok(()) => continue,
                Err(problem) => problem,
            };
            let remedy = format!(
                "Give every row the same number of fields; they are separated by {}. --skip-broken leaves such lines out.",
                text::name(self.dialect.delimiter)
            );
            return Err(Error::data(&self.path, problem, remedy));
        }
    }

    /// Leaves the line out for this reason, or gives the reason back if broken lines are errors.
    pub(super) fn leave_out(&mut self, problem: String) -> std::result::Result<(), String> {
        match &mut self.broken {
            Some(broken) => {
                broken.add(problem);
                Ok(())
            }
            None => Err(problem),
        }
    }

    /// What was left out so far.
    pub(super) fn left_out(&self) -> Option<String> {
        self.broken.as_ref().and_then(|broken| broken.note(&self.path, "line"))
    }

    /// A field of the line, as text.
    pub(super) fn text(&self, at: usize) -> std::result::Result<&str, String> {
        let field = self.record[at].trim_ascii();
        std::str::from_utf8(field).map_err(|_| format!("`{}` is not text in UTF-8", shorten(&String::from_utf8_lossy(field))))
    }

    /// A field of the line: a gap, a number, or else a text.
    pub(super) fn cell(&self, at: usize) -> std::result::Result<Cell<'_>, String> {
        let text = self.text(at)?;
        if is_gap(text) {
            return Ok(Cell::Gap(text));
        }
        match number(text, self.dialect.decimal) {
            Some(number) if number.is_finite() => Ok(Cell::Number(number)),
            Some(_) => Err(format!("`{}` is not finite", shorten(text))),
            None => Ok(Cell::Text(text)),
        }
    }

    /// A field of a column of names: a gap or a text.
    pub(super) fn name(&self, at: usize) -> std::result::Result<Cell<'_>, String> {
        let text = self.text(at)?;
        Ok(if is_gap(text) { Cell::Gap(text) } else { Cell::Text(text) })
    }

    /// The field and its line in words: `line 4, column 2 (`b`)`.
    pub(super) fn at(&self, field: usize) -> String {
        place(self.line(), field, self.names())
    }

    /// The line on which the row just read begins, counted from 1. The reader's own position would give that of any
    /// blank lines before it.
    pub(super) fn line(&self) -> u64 {
        let end = self.reader.position();
        let seen = lock(&self.seen);
        // The reader has passed the end of the row, which may be a line end, the first half of one, or the end of the
        // file.
        let last = end.byte().checked_sub(seen.before + 1).and_then(|at| seen.piece.get(at as usize));
        let inside = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
        end.line().saturating_sub(inside + u64::from(last == Some(&b'\n')))
    }

    /// The place of a column that a flag names.
    pub(super) fn find(&self, column: &Column) -> Result<usize> {
        let name = match column {
            Column::Index(at) if *at < self.fields => return Ok(*at),
            Column::Index(at) => {
                let problem = format!("column {at} (counted from 0) is asked for, but there are {} columns", self.fields);
                return Err(Error::data(&self.path, problem, "Give a smaller number."));
            }
            Column::Name(name) => name,
        };
        let names = self.names().unwrap_or_default();
        match names.iter().filter(|known| *known == name).count() {
            1 => Ok(names.iter().position(|known| known == name).unwrap_or(0)),
            0 => {
                let shown: Vec<String> = self.texts().iter().take(20).map(|text| shorten(text)).collect();
                let first = if names.is_empty() { shown } else { names.iter().take(20).map(|name| shorten(name)).collect() };
                let problem = format!("no column is called `{}`: the first line is {}", shorten(name), first.join(","));
                Err(Error::data(&self.path, problem, "Name one of these, or give its number."))
            }
            count => {
                let problem = format!("{count} columns are called `{}`", shorten(name));
                Err(Error::data(&self.path, problem, "Give its number, counted from 0."))
            }
        }
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
                ErrorKind::Io(e) => failed(&self.path, e),
                other => Error::data(&self.path, format!("line {line}: {other:?}"), "Check that the file is CSV."),
            }
        })
    }

    fn texts(&self) -> Vec<String> {
        self.record.iter().map(|field| String::from_utf8_lossy(field).trim().to_string()).collect()
    }

    /// Whether the first line names the columns.
    fn is_header(&self, options: &Options) -> bool {
        let texts = self.texts();
        if let Some(schema) = &options.schema
            && schema.is_named()
        {
            return schema.fields.iter().any(|field| field.name.as_ref().is_some_and(|name| texts.contains(name)))
                || !texts.iter().any(|text| number(text, self.dialect.decimal).is_some());
        }
        let counted = || texts.iter().skip(1).enumerate().all(|(at, text)| *text == at.to_string());
        if texts.len() > 1 && texts[0].is_empty() && counted() {
            return true;
        }
        // A column that is said by name implies a header.
        let said = options.columns().any(|column| matches!(column, Column::Name(name) if texts.contains(name)));
        let filled: Vec<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
        said || !filled.is_empty() && filled.iter().all(|text| number(text, self.dialect.decimal).is_none())
    }
}

/// `line 4, column 2 (`b`)`, the line and the column counted from 1.
pub(super) fn place(line: u64, field: usize, names: Option<&[String]>) -> String {
    let name = names.and_then(|names| names.get(field)).map(|name| format!(" (`{}`)", shorten(name))).unwrap_or_default();
    format!("line {line}, column {}{name}", field + 1)
}

/// Whether it is a gap in a column of any kind.
fn is_gap(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("nan")
}

/// The number in a field.
fn number(text: &str, decimal: u8) -> Option<f64> {
    match decimal {
        b',' if text.contains('.') => None,
        b',' => text.replacen(',', ".", 1).parse().ok(),
        _ => text.parse().ok(),
    }
}
