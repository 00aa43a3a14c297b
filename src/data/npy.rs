//! Arrays in numpy's npy format, read by hand: f32, f64 or u8, two to four dimensions, rows first, little-endian.
//!
//! ```text
//! offset 0   \x93NUMPY, the version (1 0, 2 0 or 3 0), the length of the header (u16, u32 from version 2 on)
//! then       a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }
//! then       the elements, row-major, and nothing after them
//! ```
//!
//! The header's length and its shape are checked against the size of the file before anything is allocated. No pickle
//! is ever read.

use super::csv::shorten;
use super::{Dataset, Values, check_rows};
use crate::{Error, Result, Shape};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// What an npy file begins with.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read; numpy's own limit is 10,000.
const HEADER_BYTES: usize = 1 << 16;
/// How many rows are read at a time when a whole file is read.
const STEP: usize = 1 << 20;
const REMEDY: &str = "Save it again: numpy.save(file, numpy.ascontiguousarray(array, dtype='<f4')), with the rows as the first dimension.";

#[derive(Clone, Copy, PartialEq)]
enum Element {
    F32,
    F64,
    U8,
}

/// An array being read.
pub(super) struct NpyRows {
    path: PathBuf,
    source: BufReader<Box<dyn Read + Send>>,
    /// Whether the size of the source is known, and agrees with the header.
    sized: bool,
    element: Element,
    dims: Vec<usize>,
    columns: usize,
    /// Rows still in the file, and rows taken.
    left: usize,
    taken: usize,
}

impl NpyRows {
    /// Opens the file and checks its header against its size.
    pub(super) fn open(path: &Path) -> Result<NpyRows> {
        let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
        let info = file.metadata().map_err(|e| Error::io(path, "reading its size", e))?;
        if !info.is_file() {
            return Err(Error::data(
                path,
                "this is not a regular file, so its size is unknown",
                "Write it to a file first, or pipe it: --data -.",
            ));
        }
        NpyRows::read(path, Box::new(file), Some(info.len()))
    }

    /// An array from a pipe. Its header decides no allocation.
    pub(super) fn piped(path: &Path, source: Box<dyn Read + Send>) -> Result<NpyRows> {
        NpyRows::read(path, source, None)
    }

    fn read(path: &Path, source: Box<dyn Read + Send>, size: Option<u64>) -> Result<NpyRows> {
        let bad = |problem: String| Error::data(path, problem, REMEDY);
        let mut source = BufReader::with_capacity(1 << 16, source);
        let mut take = |count: usize, what: &str| -> Result<Vec<u8>> {
            let mut bytes = vec![0; count];
            source.read_exact(&mut bytes).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => bad(match size {
                    Some(size) => format!("the file ends inside {what}, after {size} bytes"),
                    None => format!("it ends inside {what}"),
                }),
                _ => Error::io(path, "reading", e),
            })?;
            Ok(bytes)
        };
        let start = take(8, "its first eight bytes")?;
        if start[..6] != *MAGIC {
            return Err(bad("offset 0: it does not begin with \\x93NUMPY, so it is not an npy file".into()));
        }
        let (wide, length) = match (start[6], start[7]) {
            (1, 0) => (2, take(2, "the length of its header")?),
            (2 | 3, 0) => (4, take(4, "the length of its header")?),
            (major, minor) => return Err(bad(format!("offset 6: the version is {major}.{minor}, and 1.0, 2.0 and 3.0 are supported"))),
        };
        let length = length.iter().rev().fold(0usize, |n, &byte| n << 8 | usize::from(byte));
        if length > HEADER_BYTES {
            return Err(bad(format!("offset 8: the header declares {length} bytes of itself, and at most {HEADER_BYTES} are read")));
        }
        let begin = 8 + wide + length;
        let text = take(length, "its header")?;
        let header = Header::parse(&text).map_err(|problem| bad(format!("its header: {problem}")))?;
        let element = header.element().map_err(&bad)?;
        if header.fortran {
            return Err(bad("its elements are in Fortran order, columns first".into()));
        }
        if !(2..=4).contains(&header.shape.len()) {
            return Err(bad(format!("it has {} dimensions, and 2 to 4 are supported", header.shape.len())));
        }
        let declared = header.shape.iter().try_fold(element.bytes() as u64, |n, &d| n.checked_mul(d));
        let wanted = declared.and_then(|n| n.checked_add(begin as u64));
        if let Some(size) = size
            && wanted != Some(size)
        {
            let wanted = wanted.map_or("more than 2^64".into(), |n| n.to_string());
            return Err(bad(format!(
                "offset {}: the shape {:?} needs {wanted} bytes in all, but the file has {size}",
                8 + wide,
                header.shape
            )));
        }
        // A shape with a 0 in it needs no bytes, whatever its other numbers are.
        let dims: Option<Vec<usize>> = header.shape[1..].iter().map(|&d| usize::try_from(d).ok()).collect();
        let (Some(dims), Ok(left)) = (dims, usize::try_from(header.shape[0])) else {
            return Err(bad(format!("the shape {:?} is too large for this machine", header.shape)));
        };
        if dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_none_or(|n| n > Shape::MAX_LEN) {
            return Err(bad(format!("a row of shape {dims:?} has more than {} elements", Shape::MAX_LEN)));
        }
        let columns = check_rows(&path.display().to_string(), 0, &dims)?;
        Ok(NpyRows { path: path.to_path_buf(), source, sized: size.is_some(), element, dims, columns, left, taken: 0 })
    }

    /// Reads the whole array: bytes stay bytes, the byte b for b / 255.
    pub(super) fn everything(path: &Path) -> Result<Dataset> {
        let mut array = NpyRows::open(path)?;
        let step = (STEP / array.columns).max(1);
        let values = if array.element == Element::U8 {
            Values::Bytes(array.take(array.left)?)
        } else {
            let mut values = Vec::new();
            while array.left > 0 {
                values.extend(array.take_f32(step)?);
            }
            Values::Floats(values)
        };
        Ok(Dataset::trusted(&path.display().to_string(), values, &array.dims, None))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn dims(&self) -> &[usize] {
        &self.dims
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The next rows, at most `rows`, as floats.
    pub(super) fn take_f32(&mut self, rows: usize) -> Result<Vec<f32>> {
        let first = self.taken;
        let bytes = self.take(rows)?;
        let values: Vec<f32> = match self.element {
            Element::U8 => bytes.iter().map(|&b| f32::from(b) / 255.0).collect(),
            Element::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Element::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        };
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (row, column) = (first + at / self.columns, at % self.columns);
            return Err(Error::data(
                &self.path,
                format!("row {row}, column {column} (both counted from 0) is {} as a 32-bit float", values[at]),
                "Every value must be finite: drop the row or fill the gap.",
            ));
        }
        Ok(values)
    }

    /// The bytes of the next rows, at most `rows`.
    fn take(&mut self, rows: usize) -> Result<Vec<u8>> {
        let rows = rows.min(self.left);
        let mut bytes = Vec::new();
        let failed = |e| Error::io(&self.path, "reading", e);
        let count = rows * self.columns * self.element.bytes();
        if self.sized {
            // Opening compared this with the size of the file.
            bytes.try_reserve_exact(count).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
        }
        (&mut self.source).take(count as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() < count {
            let whole = self.taken + bytes.len() / (self.columns * self.element.bytes());
            return Err(match self.sized {
                true => Error::data(&self.path, "the file shrank while it was read", "Make sure that nothing writes to it meanwhile."),
                false => Error::data(&self.path, format!("it ends after {whole} of {} rows", self.taken + self.left), REMEDY),
            });
        }
        if rows == self.left && !self.sized && self.source.read(&mut [0]).map_err(failed)? > 0 {
            return Err(Error::data(&self.path, format!("there are more bytes than its {} rows have", self.taken + rows), REMEDY));
        }
        self.left -= rows;
        self.taken += rows;
        Ok(bytes)
    }
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F64 => 8,
            Element::U8 => 1,
        }
    }
}

/// What the Python literal says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Header {
    fn parse(text: &[u8]) -> std::result::Result<Header, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text".to_string())?;
        let mut rest = Text(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.accept("}") {
            let key = rest.quoted()?;
            rest.expect(":")?;
            let again = match key {
                "descr" if rest.begins("[") || rest.begins("(") => return Err("its elements are records, not single numbers".into()),
                "descr" => descr.replace(rest.quoted()?.to_string()).is_some(),
                "fortran_order" => fortran.replace(rest.truth()?).is_some(),
                "shape" => shape.replace(rest.tuple()?).is_some(),
                other => return Err(format!("`{}` is not a key of an npy header", shorten(other))),
            };
            if again {
                return Err(format!("`{key}` appears twice"));
            }
            if !rest.accept(",") && !rest.begins("}") {
                return Err(rest.unexpected(", or }"));
            }
        }
        if !rest.0.trim().is_empty() {
            return Err(rest.unexpected("its end"));
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Header { descr, fortran, shape }),
            _ => Err("descr, fortran_order or shape is missing".into()),
        }
    }

    fn element(&self) -> std::result::Result<Element, String> {
        match self.descr.as_str() {
            "<f4" => Ok(Element::F32),
            "<f8" => Ok(Element::F64),
            "|u1" => Ok(Element::U8),
            object if object.contains('O') => Err("its elements are Python objects (a pickle), and those are never read".into()),
            big if big.starts_with('>') => Err(format!("its elements are big-endian ({})", shorten(big))),
            other => Err(format!("its elements are {}, and <f4, <f8 and |u1 are supported", shorten(other))),
        }
    }
}

/// The rest of a header.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn begins(&self, mark: &str) -> bool {
        self.0.trim_start().starts_with(mark)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, mark: &str) -> std::result::Result<(), String> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected(mark)) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("`{}` stands where {wanted} should", shorten(self.0.trim_start()))
    }

    fn quoted(&mut self) -> std::result::Result<&'a str, String> {
        let rest = self.0.trim_start();
        let mark = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some((text, rest)) = mark.and_then(|mark| rest[1..].split_once(mark)) else {
            return Err(self.unexpected("a quoted text"));
        };
        self.0 = rest;
        Ok(text)
    }

    fn truth(&mut self) -> std::result::Result<bool, String> {
        if self.accept("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> std::result::Result<Vec<u64>, String> {
        self.expect("(")?;
        let mut numbers = Vec::new();
        while !self.accept(")") {
            let rest = self.0.trim_start();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = rest[..digits].parse().map_err(|_| self.unexpected("a dimension"))?;
            self.0 = &rest[digits..];
            numbers.push(number);
            if !self.accept(",") && !self.begins(")") {
                return Err(self.unexpected(", or )"));
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_and_others_write_them() {
        let wanted = Header { descr: "<f4".into(), fortran: false, shape: vec![3, 784] };
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 784), }      \n",
            "{\"shape\":(3,784),\"descr\":\"<f4\",\"fortran_order\":False}",
            " { 'fortran_order' :False , 'shape' : ( 3 , 784 , ) , 'descr' : '<f4' } ",
        ] {
            assert_eq!(Header::parse(text.as_bytes()).as_ref(), Ok(&wanted), "{text}");
        }
        let whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 784)}";
        for end in 0..whole.len() {
            assert!(Header::parse(&whole.as_bytes()[..end]).is_err(), "{}", &whole[..end]);
        }
    }
}
