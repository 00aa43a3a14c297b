//! The IDX files that MNIST comes in, read by hand, gzipped or not.
//!
//! ```text
//! offset 0   0 0 8 R          the magic number: 8 = unsigned bytes, R = the number of dimensions (images 3, labels 1)
//! offset 4   R times u32      the dimensions, big-endian, the rows first
//! then       the bytes, row-major, and nothing after them
//! ```
//!
//! No length in a file is trusted. The header is checked against the size of the file before anything is allocated (a
//! gzip stream cannot unpack to more than 1032 times its size), memory grows as bytes arrive, and reading stops one
//! byte after the declared end: a wrong header and a gzip bomb are errors and cost nothing.

mod set;

pub(super) use set::{REMEDY, has, is_one, open};

use crate::{Error, Result, Shape};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

/// The most bytes that one byte of deflate can stand for, rounded up.
const GZIP_MOST: u64 = 1033;
/// How much memory is requested at a time, at first.
const CHUNK: usize = 1 << 20;

/// The dimensions and the bytes of one file, which must have `rank` dimensions.
fn read(path: &Path, rank: usize) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
    let info = file.metadata().map_err(|e| Error::io(path, "reading its size", e))?;
    // A pipe or a device has no size; then only the limit on a whole data set applies.
    let size = if info.is_file() { Some(info.len()) } else { None };
    let mut start = Vec::new();
    (&mut file).take(2).read_to_end(&mut start).map_err(|e| Error::io(path, "reading", e))?;
    let gzip = start == [0x1f, 0x8b];
    let whole = BufReader::new(Cursor::new(start).chain(file));
    let source: Box<dyn Read> = if gzip { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
    Reader { path, gzip, size, offset: 0, source }.everything(rank)
}

/// A file being read.
struct Reader<'a> {
    path: &'a Path,
    gzip: bool,
    size: Option<u64>,
    /// Bytes taken so far, unpacked.
    offset: u64,
    source: Box<dyn Read>,
}

impl Reader<'_> {
    fn everything(&mut self, rank: usize) -> Result<(Vec<usize>, Vec<u8>)> {
        let header = self.bytes(4 + 4 * rank, rank)?;
        let dims: Vec<usize> = header[4..].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
        if let Some(i) = dims[1..].iter().position(|&d| d == 0) {
            return Err(self.bad_at(8 + 4 * i as u64, format!("images of {}x{} pixels have no pixels", dims[1], dims[2])));
        }
        let declared = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).filter(|&n| n <= Shape::MAX_LEN as u64);
        let Some(declared) = declared else {
            let shape = dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
            return Err(self.bad_at(4, format!("the header declares {shape} bytes, and at most {} are read", Shape::MAX_LEN)));
        };
        self.check_size(header.len() as u64 + declared)?;
        let values = self.bytes(declared as usize, rank)?;
        self.check_end()?;
        Ok((dims, values))
    }

    /// Exactly `count` bytes. At offset 0 this is the header, whose first four bytes are checked before it can be too
    /// short.
    fn bytes(&mut self, count: usize, rank: usize) -> Result<Vec<u8>> {
        let (start, mut bytes) = (self.offset, Vec::new());
        while bytes.len() < count {
            // Never more than a chunk ahead of the bytes, or twice what has arrived.
            let step = (count - bytes.len()).min(bytes.len().max(CHUNK));
            bytes.try_reserve_exact(step).map_err(|_| Error::io(self.path, "keeping it in memory", ErrorKind::OutOfMemory.into()))?;
            let came = (&mut self.source).take(step as u64).read_to_end(&mut bytes);
            self.offset = start + bytes.len() as u64;
            if start == 0 {
                self.check_magic(&bytes, rank)?;
            }
            if came.map_err(|e| self.broken(e))? < step {
                let problem = format!("the file ends here, {} bytes early", count - bytes.len());
                return Err(self.bad_at(self.offset, problem));
            }
        }
        Ok(bytes)
    }

    fn check_magic(&self, start: &[u8], rank: usize) -> Result<()> {
        let [0, 0, kind, dims, ..] = *start else {
            return match start.len() {
                0..4 => Ok(()), // The caller reports that the file ends.
                _ => {
                    let found = u32::from_be_bytes([start[0], start[1], start[2], start[3]]);
                    let wanted = 0x0800 + rank;
                    Err(self.bad_at(0, format!("the magic number is 0x{found:08x}, not 0x{wanted:08x}: this is not an IDX file")))
                }
            };
        };
        if kind != 8 {
            let name = match kind {
                0x09 => "signed bytes",
                0x0b => "16-bit integers",
                0x0c => "32-bit integers",
                0x0d => "32-bit floats",
                0x0e => "64-bit floats",
                _ => "unknown",
            };
            return Err(self.bad_at(2, format!("the element type is 0x{kind:02x} ({name}), and only 0x08 (unsigned bytes) is supported")));
        }
        if usize::from(dims) != rank {
            let wanted = if rank == 3 { "images have 3" } else { "labels have 1" };
            return Err(self.bad_at(3, format!("there are {dims} dimensions, and {wanted}")));
        }
        Ok(())
    }

    /// Refuses a header that cannot be true of a file of this size, before memory is spent on it.
    fn check_size(&self, declared: u64) -> Result<()> {
        let Some(size) = self.size else { return Ok(()) };
        if self.gzip {
            if declared > size.saturating_mul(GZIP_MOST) {
                return Err(self.bad_at(4, format!("the header declares {declared} bytes, and {size} bytes of gzip cannot hold that many")));
            }
        } else if declared != size {
            let what = if declared > size { "cut off, or its header lies" } else { "followed by something else, or its header lies" };
            return Err(
                self.bad_at(declared.min(size), format!("the header declares {declared} bytes, but the file has {size}: it is {what}"))
            );
        }
        Ok(())
    }

    /// Nothing may follow; for gzip this also reads the checksum.
    fn check_end(&mut self) -> Result<()> {
        let mut after = Vec::new();
        (&mut self.source).take(1).read_to_end(&mut after).map_err(|e| self.broken(e))?;
        if !after.is_empty() {
            return Err(self.bad_at(self.offset, "there are more bytes than the header declares".into()));
        }
        Ok(())
    }

    /// An error of reading: of the gzip stream, or of the system.
    fn broken(&self, error: io::Error) -> Error {
        let of_the_stream = matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
        if self.gzip && of_the_stream && error.raw_os_error().is_none() {
            return self.bad_at(self.offset, format!("the gzip stream is damaged ({error})"));
        }
        Error::io(self.path, "reading", error)
    }

    fn bad_at(&self, offset: u64, problem: String) -> Error {
        let unpacked = if self.gzip { " of the unpacked data" } else { "" };
        Error::data(
            self.path,
            format!("offset {offset}{unpacked}: {problem}"),
            "Get the file again from its source, and check that it is an IDX file of unsigned bytes.",
        )
    }
}
