//! Arrays in numpy's npy format, read by hand: numbers of any type, in either byte order, two to four dimensions.
//!
//! ```text
//! offset 0   \x93NUMPY, the version (1 0, 2 0 or 3 0), the length of the header (u16, u32 from version 2 on)
//! then       a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }
//! then       the elements, and nothing after them
//! ```
//!
//! The header's length and its shape are checked against the size of the file before anything is allocated. No pickle
//! is ever read. An array in C order is read a chunk of rows at a time; one in Fortran order is held as the bytes of
//! the file, since its rows lie everywhere.
//!
//! Two dimensions are a table, more are pictures: (N, H, W), (N, C, H, W), or (N, H, W, C) with 1 or 3 channels, which
//! then come first. Bytes of pictures stay bytes, the byte b for b / 255; so do those of a table whose rows are squares
//! of 8 x 8 or more.

mod element;
mod header;

pub(super) use header::{Header, MAGIC};

use super::dataset::{Dataset, check_rows};
use super::source::{Source, failed};
use super::values::Values;
use crate::{Error, Result, Shape};
use element::Element;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many elements are read at a time when a whole file is read.
const STEP: usize = 1 << 20;
/// The shortest side of a picture that is a row of a table.
const SIDE: usize = 8;
const REMEDY: &str = "Save it again: numpy.save(file, array), with numbers as its elements and the rows as its first dimension.";

/// An array being read.
pub(super) struct NpyRows {
    path: PathBuf,
    source: Source,
    /// Whether the size of the source is known, and agrees with the header.
    sized: bool,
    element: Element,
    columns: usize,
    layout: Layout,
    /// All elements of an array in Fortran order.
    whole: Option<Vec<u8>>,
    /// Rows still in the file, and rows taken.
    left: usize,
    taken: usize,
    notes: Vec<String>,
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
    pub(super) fn piped(path: &Path, source: Source) -> Result<NpyRows> {
        NpyRows::read(path, source, None)
    }

    fn read(path: &Path, source: Source, size: Option<u64>) -> Result<NpyRows> {
        let mut source: Source = Box::new(BufReader::with_capacity(1 << 16, source));
        let header = Header::read(path, &mut source)?;
        let (element, shape) = (header.element, &header.shape);
        let bad = |problem: String| Err(Error::data(path, problem, REMEDY));
        match (shape.len(), header.bytes, size) {
            (1, ..) => {
                let remedy = "Say which it is, one row or one column: numpy.save(file, array[None]) or numpy.save(file, array[:, None]).";
                return Err(Error::data(path, "it has 1 dimension, and rows of columns have 2", remedy));
            }
            (2..=4, None, _) => return bad(format!("the shape {shape:?} needs more than 2^64 bytes")),
            (2..=4, Some(all), Some(size)) if all != size => {
                return bad(format!("the shape {shape:?} needs {all} bytes in all, but the file has {size}"));
            }
            (2..=4, ..) => {}
            (other, ..) => return bad(format!("it has {other} dimensions, and 2 to 4 are supported")),
        }
        // A shape with a 0 in it needs no bytes, whatever its other numbers are.
        let dims: Option<Vec<usize>> = shape[1..].iter().map(|&d| usize::try_from(d).ok()).collect();
        let (Some(dims), Ok(left)) = (dims, usize::try_from(shape[0])) else {
            return bad(format!("the shape {shape:?} is too large for this machine"));
        };
        if dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).is_none_or(|n| n > Shape::MAX_LEN) {
            return bad(format!("a row of shape {dims:?} has more than {} elements", Shape::MAX_LEN));
        }
        let columns = check_rows(&path.display().to_string(), 0, &dims)?;
        let layout = Layout::new(dims, if header.fortran { Some(left) } else { None });
        let mut notes = Vec::new();
        if let (true, [channels, height, width]) = (layout.reorders, &layout.dims[..]) {
            notes.push(format!("{}: the channels of a picture come first, {channels} times {height}x{width}", path.display()));
        }
        let sized = size.is_some();
        let mut array = NpyRows { path: path.into(), source, sized, element, columns, layout, whole: None, left, taken: 0, notes };
        if header.fortran {
            array.whole = Some(array.fetch(left)?);
        }
        Ok(array)
    }

    /// Reads the whole array.
    pub(super) fn everything(mut self) -> Result<Dataset> {
        let step = (STEP / self.columns).max(1);
        let mut values = self.store(if self.sized { self.left } else { 0 });
        while self.left > 0 {
            let bytes = self.bytes(step)?;
            self.element.append(bytes, &mut values);
        }
        self.check_finite(&values, 0)?;
        let name = self.path.display().to_string();
        Ok(Dataset::trusted(&name, values, &self.dims(), None).with_notes(self.notes))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of a row: a table's columns, or channels, height and width.
    pub(super) fn dims(&self) -> Vec<usize> {
        let side = self.columns.isqrt();
        match self.layout.dims[..] {
            [columns] if self.element.is_byte() && side >= SIDE && side * side == columns => vec![1, side, side],
            ref dims => dims.to_vec(),
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The number of rows, read or not.
    pub(super) fn rows(&self) -> usize {
        self.taken + self.left
    }

    /// What people should know of how the rows are read.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same rows with one more note.
    pub(super) fn noted(mut self, note: String) -> NpyRows {
        self.notes.push(note);
        self
    }

    /// The next rows, at most `rows`.
    pub(super) fn take(&mut self, rows: usize) -> Result<Values> {
        let (first, mut values) = (self.taken, self.store(0));
        let bytes = self.bytes(rows)?;
        self.element.append(bytes, &mut values);
        self.check_finite(&values, first)?;
        Ok(values)
    }

    fn store(&self, rows: usize) -> Values {
        self.element.store(self.dims().len() > 1, rows * self.columns)
    }

    fn check_finite(&self, values: &Values, first: usize) -> Result<()> {
        let Some((at, value)) = values.not_finite() else { return Ok(()) };
        let (row, column) = (first + at / self.columns, at % self.columns);
        let problem = format!("row {row}, column {column} (both counted from 0) is {value}");
        Err(Error::data(&self.path, problem, "Every value must be finite: drop the row or fill the gap."))
    }

    /// The bytes of the next rows, at most `rows`, row after row.
    fn bytes(&mut self, rows: usize) -> Result<Vec<u8>> {
        let rows = rows.min(self.left);
        let bytes = match &self.whole {
            Some(whole) => self.layout.gather(whole, self.taken..self.taken + rows, self.element.bytes()),
            None => {
                let bytes = self.fetch(rows)?;
                if self.layout.reorders { self.layout.gather(&bytes, 0..rows, self.element.bytes()) } else { bytes }
            }
        };
        self.left -= rows;
        self.taken += rows;
        Ok(bytes)
    }

    /// The next bytes of the source, as many as `rows` take.
    fn fetch(&mut self, rows: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let count = rows * self.columns * self.element.bytes();
        if self.sized {
            // Opening compared this with the size of the file.
            let failed = |_| Error::io(&self.path, "reading", io::ErrorKind::OutOfMemory.into());
            bytes.try_reserve_exact(count).map_err(failed)?;
        }
        (&mut self.source).take(count as u64).read_to_end(&mut bytes).map_err(|e| failed(&self.path, e))?;
        if bytes.len() < count {
            let (whole, all) = (self.taken * self.columns + bytes.len() / self.element.bytes(), self.rows() * self.columns);
            return Err(match self.sized {
                true => Error::data(&self.path, "the file shrank while it was read", "Make sure that nothing writes to it meanwhile."),
                false => Error::data(&self.path, format!("it ends after {whole} of {all} elements"), REMEDY),
            });
        }
        if rows == self.left && !self.sized && self.source.read(&mut [0]).map_err(|e| failed(&self.path, e))? > 0 {
            let problem = format!("there are more bytes than its {} rows have", self.rows());
            return Err(Error::data(&self.path, problem, REMEDY));
        }
        Ok(bytes)
    }
}

/// Where the elements of a row lie.
struct Layout {
    /// The shape of a row, channels first.
    dims: Vec<usize>,
    /// How many elements lie between neighbours in each of these dimensions, and between rows.
    strides: Vec<usize>,
    row: usize,
    /// Whether channels come last in the array.
    reorders: bool,
}

impl Layout {
    /// Rows of `dims`; in Fortran order there are as many as `fortran` says.
    fn new(mut dims: Vec<usize>, fortran: Option<usize>) -> Layout {
        let (mut strides, row): (Vec<usize>, usize) = match fortran {
            None => ((1..=dims.len()).map(|from| dims[from..].iter().product()).collect(), dims.iter().product()),
            Some(rows) => ((0..dims.len()).map(|to| rows * dims[..to].iter().product::<usize>()).collect(), 1),
        };
        let channels_last = matches!(dims[..], [before, _, 1 | 3] if !matches!(before, 1 | 3));
        let reorders = channels_last && dims[2] > 1;
        if channels_last {
            dims.rotate_right(1);
            strides.rotate_right(1);
        }
        Layout { dims, strides, row, reorders }
    }

    /// The bytes of these rows, row after row, from those of the array.
    fn gather(&self, array: &[u8], rows: Range<usize>, size: usize) -> Vec<u8> {
        if rows.is_empty() {
            return Vec::new();
        }
        let nested = |places: Vec<usize>, (&count, &stride): (&usize, &usize)| -> Vec<usize> {
            places.iter().flat_map(|place| (0..count).map(move |at| place + at * stride)).collect()
        };
        let places = self.dims.iter().zip(&self.strides).fold(vec![0], nested);
        let mut bytes = Vec::with_capacity(rows.len() * places.len() * size);
        for row in rows {
            for place in &places {
                bytes.extend_from_slice(&array[(row * self.row + place) * size..][..size]);
            }
        }
        bytes
    }
}
