//! Bytes on their way from a file or a pipe to a reader, and what is wrong with them.

use crate::{Error, Result};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file, a pipe, or what is unpacked from one.
pub(super) type Source = Box<dyn Read + Send>;

/// The first bytes, `count` of them or all there are, and the source with them.
pub(super) fn peek(path: &Path, mut source: Source, count: u64) -> Result<(Vec<u8>, Source)> {
    let mut start = Vec::new();
    (&mut source).take(count).read_to_end(&mut start).map_err(|e| failed(path, e))?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(source))))
}

/// A fault of the data as a reader can say it, for [`failed`].
pub(super) fn fault(path: &Path, problem: impl Into<String>, remedy: &str) -> io::Error {
    io::Error::other(Error::data(path, problem, remedy))
}

/// The error of reading: a [`fault`], or one of the system.
pub(super) fn failed(path: &Path, error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|error| Error::io(path, "reading", error))
}

/// A reader that unpacks, whose faults are those of the data.
pub(super) struct Unpacking<R> {
    pub(super) path: PathBuf,
    /// What it unpacks.
    pub(super) what: &'static str,
    pub(super) reader: R,
}

impl<R: Read> Read for Unpacking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|e| match e.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof if e.raw_os_error().is_none() => {
                fault(&self.path, format!("the {} is damaged ({e})", self.what), "Get the file again from its source.")
            }
            _ => e,
        })
    }
}
