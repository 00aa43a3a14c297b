//! Shapes and element types.

use crate::{Error, Result};
use std::fmt;

/// The element type of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit IEEE floats: all arithmetic.
    #[default]
    F32,
    /// Bytes: images, which are only gathered.
    U8,
    /// 32-bit unsigned integers: orders, labels, cursors and step counters.
    U32,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::U8 => 1,
            Dtype::F32 | Dtype::U32 => 4,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::U8 => "u8",
            Dtype::U32 => "u32",
        })
    }
}

/// One to four dimensions, row-major. A dimension may be 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [usize; 4],
    rank: usize,
}

impl Shape {
    /// The most elements that one shape may have: kernels index with 32 bits.
    pub const MAX_LEN: usize = (1 << 31) - 1;

    /// # Errors
    /// Fewer than 1 or more than 4 dimensions, or more than [`Shape::MAX_LEN`] elements.
    pub fn new(dims: &[usize]) -> Result<Shape> {
        if dims.is_empty() || dims.len() > 4 {
            return Err(Error::argument(
                "shape",
                format!("{dims:?} has {} dimensions", dims.len()),
                "Use 1 to 4 dimensions; a single number has shape [1].",
            ));
        }
        // A 0 anywhere makes the shape empty, but the other dimensions must still be countable.
        let span = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
        if span.is_none_or(|n| n > Shape::MAX_LEN) {
            return Err(Error::argument(
                "shape",
                format!("{dims:?} has more than {} elements", Shape::MAX_LEN),
                "Split the data into smaller tensors.",
            ));
        }
        let mut all = [1; 4];
        all[..dims.len()].copy_from_slice(dims);
        Ok(Shape { dims: all, rank: dims.len() })
    }

    /// A part of a shape that is known to be valid.
    pub(crate) fn matrix(rows: usize, columns: usize) -> Shape {
        Shape { dims: [rows, columns, 1, 1], rank: 2 }
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first dimension.
    pub fn rows(&self) -> usize {
        self.dims[0]
    }

    /// The elements of one row: the product of all dimensions but the first.
    pub fn columns(&self) -> usize {
        self.dims[1..self.rank].iter().product()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, d) in self.dims().iter().enumerate() {
            if i > 0 {
                f.write_str("x")?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}
