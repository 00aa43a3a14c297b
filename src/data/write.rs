//! Rows into a file or a pipe, as they come.

use super::rows::Rows;
use crate::files::AtomicFile;
use crate::{Error, Result};
use std::fmt::{Display, LowerExp};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// The bytes of an npy header: enough for the number of rows, which is filled in at the end.
const NPY_HEADER: usize = 128;

/// Writes rows of floats as CSV or npy, a chunk at a time. A file appears whole when it is finished; a writer that is
/// dropped before leaves nothing.
///
/// ```
/// use narrows::data::{Options, RowWriter};
/// use narrows::data::Rows;
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("points.csv");
/// let mut rows = RowWriter::create(&path, &["x", "y"])?;
/// rows.write(&Rows::new(2, vec![0.5, 1.0, 2.0, 3.5]))?;
/// assert_eq!(rows.finish()?, 2);
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "x,y\n0.5,1\n2,3.5\n");
/// # Ok::<(), narrows::Error>(())
/// ```
pub struct RowWriter {
    sink: Sink,
    names: Vec<String>,
    /// The name of the last column, which holds what the rows are called.
    id: Option<String>,
    /// The names of the columns of text behind it.
    texts: Vec<String>,
    /// Of the numbers in an array, once one was written.
    element: Option<&'static str>,
    rows: usize,
}

enum Sink {
    Csv(AtomicFile),
    Npy(AtomicFile),
    /// CSV to any sink, and the name that errors give it.
    Pipe(String, Box<dyn Write>),
}

/// f32 or f64, as files hold them.
pub trait Number: Copy + Display + LowerExp + Into<f64> + sealed::Sealed {
    /// Its name in numpy.
    #[doc(hidden)]
    const ELEMENT: &'static str;
    /// Up to here all whole numbers are written as such.
    #[doc(hidden)]
    const WHOLE: f64;
    #[doc(hidden)]
    fn little_endian(self) -> impl AsRef<[u8]>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Number for f32 {
    const ELEMENT: &'static str = "<f4";
    const WHOLE: f64 = 1e9;
    fn little_endian(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl Number for f64 {
    const ELEMENT: &'static str = "<f8";
    const WHOLE: f64 = 1e16;
    fn little_endian(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl RowWriter {
    /// Starts the file `path`: CSV with a header, or npy, depending on how its name ends.
    ///
    /// # Errors
    /// A name with another ending, no columns, or a folder that can't be written.
    pub fn create(path: impl AsRef<Path>, names: &[impl AsRef<str>]) -> Result<RowWriter> {
        let path = path.as_ref();
        RowWriter::check(path)?;
        let npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        let file = AtomicFile::create(path)?;
        RowWriter::begin(if npy { Sink::Npy(file) } else { Sink::Csv(file) }, names)
    }

    /// Starts CSV with a header to `sink`, which errors call `name`.
    ///
    /// # Errors
    /// No columns, or an error of the sink.
    pub fn csv(name: &str, sink: impl Write + 'static, names: &[impl AsRef<str>]) -> Result<RowWriter> {
        RowWriter::begin(Sink::Pipe(name.into(), Box::new(sink)), names)
    }

    /// CSV gets one more column, the last, with the ids of the rows. An array has no place for them.
    pub fn with_ids(mut self, column: &str) -> RowWriter {
        self.id = Some(column.into());
        self
    }

    /// CSV gets columns of text behind all others. An array has no place for them.
    pub fn with_texts(mut self, columns: &[impl AsRef<str>]) -> RowWriter {
        self.texts = columns.iter().map(|name| name.as_ref().to_string()).collect();
        self
    }

    /// Whether [`RowWriter::create`] knows how to write a file of this name.
    ///
    /// # Errors
    /// A name that ends neither in .csv nor in .npy.
    pub fn check(path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension() {
            Some(e) if e.eq_ignore_ascii_case("csv") || e.eq_ignore_ascii_case("npy") => Ok(()),
            _ => Err(Error::argument("output", format!("{} ends neither in .csv nor in .npy", path.display()), "Name a file that does.")),
        }
    }

    fn begin(sink: Sink, names: &[impl AsRef<str>]) -> Result<RowWriter> {
        if names.is_empty() {
            return Err(Error::argument("columns", "there are none", "Name at least one column."));
        }
        let names = names.iter().map(|name| name.as_ref().to_string()).collect();
        Ok(RowWriter { sink, names, id: None, texts: Vec::new(), element: None, rows: 0 })
    }

    /// What stands before the first row: the names, or the place of a header.
    fn head(&mut self, element: &'static str) -> Result<()> {
        if self.element.is_some() {
            return Ok(());
        }
        self.element = Some(element);
        let header = self.names.iter().chain(&self.id).chain(&self.texts).map(|name| quoted(name)).collect::<Vec<_>>().join(",");
        self.put(|sink| match sink {
            Sink::Npy(file) => file.write_all(&[0; NPY_HEADER]),
            Sink::Csv(file) => writeln!(file, "{header}"),
            Sink::Pipe(_, pipe) => writeln!(pipe, "{header}"),
        })
    }

    /// Appends rows; all that are written to one file are of one type. A pipe is flushed: who reads it has them then.
    ///
    /// # Errors
    /// Rows of another width, ids or texts that are missing, or an error of the system.
    pub fn write<T: Number>(&mut self, rows: &Rows<T>) -> Result<()> {
        let columns = self.names.len();
        let ids = rows.ids.as_deref().filter(|_| self.id.is_some()).unwrap_or_default();
        let fits = rows.columns == columns && rows.values.len() == rows.rows * columns;
        let whole = rows.texts.len() == rows.rows * self.texts.len();
        if !fits || !whole || self.id.is_some() && ids.len() != rows.rows || self.element.is_some_and(|e| e != T::ELEMENT) {
            let problem = format!(
                "{} {} numbers, {} ids and {} texts are no {} rows of {columns} of the kind before",
                rows.values.len(),
                T::ELEMENT,
                ids.len(),
                rows.texts.len(),
                rows.rows
            );
            let remedy = "Pass complete rows, each with its id and its texts if they have any, all of one type.";
            return Err(Error::argument("rows", problem, remedy));
        }
        self.head(T::ELEMENT)?;
        self.rows += rows.rows;
        self.put(|sink| match sink {
            Sink::Npy(file) => rows.values.iter().try_for_each(|v| file.write_all(v.little_endian().as_ref())),
            Sink::Csv(file) => lines(file, &rows.values, columns, ids, &rows.texts),
            Sink::Pipe(_, pipe) => lines(pipe, &rows.values, columns, ids, &rows.texts).and_then(|()| pipe.flush()),
        })
    }

    /// Finishes the file, or flushes the pipe; returns the number of rows.
    ///
    /// # Errors
    /// An error of the system; then an existing file is as it was.
    pub fn finish(mut self) -> Result<usize> {
        self.head(f32::ELEMENT)?;
        let (rows, columns, element) = (self.rows, self.names.len(), self.element.unwrap_or(f32::ELEMENT));
        self.put(|sink| match sink {
            Sink::Npy(file) => {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&npy_header(element, rows, columns))
            }
            Sink::Csv(_) => Ok(()),
            Sink::Pipe(_, pipe) => pipe.flush(),
        })?;
        match self.sink {
            Sink::Csv(file) | Sink::Npy(file) => file.finish()?,
            Sink::Pipe(..) => {}
        }
        Ok(rows)
    }

    fn put(&mut self, f: impl FnOnce(&mut Sink) -> io::Result<()>) -> Result<()> {
        f(&mut self.sink).map_err(|e| match &self.sink {
            Sink::Csv(file) | Sink::Npy(file) => Error::io(file.path(), "writing", e),
            Sink::Pipe(name, _) => Error::io(name, "writing", e),
        })
    }
}

/// The header of an array, padded so that the elements begin at a multiple of 64.
fn npy_header(element: &str, rows: usize, columns: usize) -> Vec<u8> {
    let text = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((NPY_HEADER - 10) as u16).to_le_bytes());
    header.extend(text.bytes());
    header.resize(NPY_HEADER - 1, b' ');
    header.push(b'\n');
    header
}

fn lines<T: Number>(out: &mut dyn Write, values: &[T], columns: usize, ids: &[String], texts: &[String]) -> io::Result<()> {
    use std::fmt::Write as _;
    let beside = texts.len() / (values.len() / columns).max(1);
    let mut text = String::new();
    for (row, values) in values.chunks_exact(columns).enumerate() {
        text.clear();
        for (at, v) in values.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            // The shortest text that gives the same number again. Writing into memory does not fail.
            let size = Into::<f64>::into(*v).abs();
            let plain = size == 0.0 || (1e-5..T::WHOLE).contains(&size) || !size.is_finite();
            let _ = if plain { write!(text, "{v}") } else { write!(text, "{v:e}") };
        }
        for beside in ids.get(row).into_iter().chain(&texts[row * beside..(row + 1) * beside]) {
            text.push(',');
            text.push_str(&quoted(beside));
        }
        text.push('\n');
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.into(),
    }
}
