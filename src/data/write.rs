//! Rows into a file or a pipe, as they come.

use crate::files::AtomicFile;
use crate::{Error, Result};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// The bytes of an npy header: enough for the number of rows, which is filled in at the end.
const NPY_HEADER: usize = 128;

/// Writes rows of floats as CSV or npy, a chunk at a time. A file appears whole when it is finished; a writer that is
/// dropped before leaves nothing.
///
/// ```
/// use narrows::data::{Options, RowWriter};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("points.csv");
/// let mut rows = RowWriter::create(&path, &["x", "y"])?;
/// rows.write(&[0.5, 1.0, 2.0, 3.5])?;
/// assert_eq!(rows.finish()?, 2);
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "x,y\n0.5,1\n2,3.5\n");
/// # Ok::<(), narrows::Error>(())
/// ```
pub struct RowWriter {
    sink: Sink,
    columns: usize,
    rows: usize,
}

enum Sink {
    Csv(AtomicFile),
    Npy(AtomicFile),
    /// CSV to any sink, and the name that errors give it.
    Pipe(String, Box<dyn Write>),
}

impl RowWriter {
    /// Starts the file `path`: CSV with a header, or npy of f32, depending on how its name ends.
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
        let mut writer = RowWriter { sink, columns: names.len(), rows: 0 };
        if names.is_empty() {
            return Err(Error::argument("columns", "there are none", "Name at least one column."));
        }
        let header: Vec<String> = names.iter().map(|name| quoted(name.as_ref())).collect();
        writer.put(|sink| match sink {
            Sink::Npy(file) => file.write_all(&[0; NPY_HEADER]),
            Sink::Csv(file) => writeln!(file, "{}", header.join(",")),
            Sink::Pipe(_, pipe) => writeln!(pipe, "{}", header.join(",")),
        })?;
        Ok(writer)
    }

    /// Appends whole rows.
    ///
    /// # Errors
    /// Values that are not whole rows, or an error of the system.
    pub fn write(&mut self, values: &[f32]) -> Result<()> {
        let columns = self.columns;
        if !values.len().is_multiple_of(columns) {
            return Err(Error::argument("rows", format!("{} values are not whole rows of {columns}", values.len()), "Pass complete rows."));
        }
        self.rows += values.len() / columns;
        self.put(|sink| match sink {
            Sink::Npy(file) => values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes())),
            Sink::Csv(file) => lines(file, values, columns),
            Sink::Pipe(_, pipe) => lines(pipe, values, columns),
        })
    }

    /// Finishes the file, or flushes the pipe; returns the number of rows.
    ///
    /// # Errors
    /// An error of the system; then an existing file is as it was.
    pub fn finish(mut self) -> Result<usize> {
        let (rows, columns) = (self.rows, self.columns);
        self.put(|sink| match sink {
            Sink::Npy(file) => {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&npy_header(rows, columns))
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

/// The header of an array of f32, padded so that the elements begin at a multiple of 64.
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(((NPY_HEADER - 10) as u16).to_le_bytes());
    header.extend(text.bytes());
    header.resize(NPY_HEADER - 1, b' ');
    header.push(b'\n');
    header
}

fn lines(out: &mut dyn Write, values: &[f32], columns: usize) -> io::Result<()> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for row in values.chunks_exact(columns) {
        text.clear();
        for (at, v) in row.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            // The shortest text that gives the same number again. Writing into memory does not fail.
            let plain = *v == 0.0 || (1e-5..1e9).contains(&v.abs()) || !v.is_finite();
            let _ = if plain { write!(text, "{v}") } else { write!(text, "{v:e}") };
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
