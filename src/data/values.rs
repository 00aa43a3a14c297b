//! The elements of rows, in the type in which they came.

use crate::device::HostMemory;
use crate::{Dtype, Error, Result};
use std::borrow::Cow;
use std::ops::Range;

/// The elements of a data set, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels: the byte b stands for b / 255.
    Bytes(Vec<u8>),
    /// Plain numbers, all finite.
    Floats(Vec<f32>),
    /// Numbers that may need more digits than a network sees, all finite: those of tables, until they are scaled.
    Doubles(Vec<f64>),
}

/// What a pixel stands for.
pub(super) fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The nearest f32; beyond f32, the largest.
pub(crate) fn to_f32(x: f64) -> f32 {
    x.clamp(-f64::from(f32::MAX), f64::from(f32::MAX)) as f32
}

impl Values {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(v) => v.len(),
            Values::Floats(v) => v.len(),
            Values::Doubles(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a device holds for them: doubles become floats first.
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Values::Bytes(_) => Dtype::U8,
            Values::Floats(_) | Values::Doubles(_) => Dtype::F32,
        }
    }

    /// The existing elements of `span`, as the numbers that they stand for. A value beyond f32 becomes the largest f32.
    pub(super) fn f32(&self, span: Range<usize>) -> Vec<f32> {
        match self {
            Values::Bytes(v) => v[span].iter().map(|&b| unit(b)).collect(),
            Values::Floats(v) => v[span].to_vec(),
            Values::Doubles(v) => v[span].iter().map(|&x| to_f32(x)).collect(),
        }
    }

    /// As [`Values::f32`], with all digits.
    pub(crate) fn f64(&self, span: Range<usize>) -> Vec<f64> {
        match self {
            Values::Bytes(v) => v[span].iter().map(|&b| f64::from(unit(b))).collect(),
            Values::Floats(v) => v[span].iter().map(|&x| f64::from(x)).collect(),
            Values::Doubles(v) => v[span].to_vec(),
        }
    }

    /// A copy of the elements `span`, which exist.
    pub(crate) fn part(&self, span: Range<usize>) -> Values {
        match self {
            Values::Bytes(v) => Values::Bytes(v[span].to_vec()),
            Values::Floats(v) => Values::Floats(v[span].to_vec()),
            Values::Doubles(v) => Values::Doubles(v[span].to_vec()),
        }
    }

    /// Appends elements: bytes and numbers together become numbers.
    #[cfg(feature = "files")]
    pub(super) fn append(&mut self, next: Values) {
        match (&mut *self, next) {
            (Values::Bytes(v), Values::Bytes(next)) => v.extend(next),
            (Values::Floats(v), Values::Floats(next)) => v.extend(next),
            (Values::Doubles(v), Values::Doubles(next)) => v.extend(next),
            (v, next) => *self = Values::Floats([v.f32(0..v.len()), next.f32(0..next.len())].concat()),
        }
    }

    /// A copy of the rows with these numbers, all of which exist.
    pub(super) fn pick(&self, columns: usize, rows: &[u32]) -> Values {
        match self {
            Values::Bytes(v) => Values::Bytes(pick(v, columns, rows)),
            Values::Floats(v) => Values::Floats(pick(v, columns, rows)),
            Values::Doubles(v) => Values::Doubles(pick(v, columns, rows)),
        }
    }

    /// The first number that is not finite, and where it is.
    pub(super) fn not_finite(&self) -> Option<(usize, f64)> {
        match self {
            Values::Bytes(_) => None,
            Values::Floats(v) => v.iter().position(|x| !x.is_finite()).map(|at| (at, f64::from(v[at]))),
            Values::Doubles(v) => v.iter().position(|x| !x.is_finite()).map(|at| (at, v[at])),
        }
    }

    /// The numbers as a network sees them without a scaler.
    ///
    /// # Errors
    /// A number beyond f32.
    pub(crate) fn unscaled(&self, name: &str, columns: usize) -> Result<Cow<'_, [f32]>> {
        let Values::Doubles(doubles) = self else {
            return Ok(match self {
                Values::Floats(v) => Cow::Borrowed(v),
                other => Cow::Owned(other.f32(0..other.len())),
            });
        };
        match doubles.iter().position(|x| x.abs() > f64::from(f32::MAX)) {
            None => Ok(Cow::Owned(doubles.iter().map(|&x| x as f32).collect())),
            Some(at) => Err(Error::data(
                name,
                format!("row {}, column {} (both counted from 0) is {:e}, beyond a 32-bit float", at / columns, at % columns, doubles[at]),
                "Scale the columns.",
            )),
        }
    }
}

/// The rows with these numbers, all of which exist.
pub(super) fn pick<T: Copy>(values: &[T], columns: usize, rows: &[u32]) -> Vec<T> {
    let mut picked = Vec::with_capacity(rows.len() * columns);
    rows.iter().for_each(|&row| picked.extend_from_slice(&values[row as usize * columns..][..columns]));
    picked
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Values {
        Values::Floats(values)
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Values {
        Values::Doubles(values)
    }
}

/// Nobody writes to values behind an `Arc`.
impl HostMemory for Values {
    fn bytes(&self) -> &[u8] {
        match self {
            Values::Bytes(v) => v,
            Values::Floats(v) => bytemuck::cast_slice(v),
            Values::Doubles(v) => bytemuck::cast_slice(v),
        }
    }
}
