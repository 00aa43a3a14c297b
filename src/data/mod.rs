//! Data sets in memory: rows of bytes or floats, with labels where there are some.

mod digits;
#[cfg(feature = "files")]
mod idx;
mod strokes;

pub use digits::{builtin, digits};

use crate::{Error, Result, Shape};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The elements of a data set, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels: the byte b stands for b / 255.
    Bytes(Vec<u8>),
    /// Numbers as they are, all finite.
    Floats(Vec<f32>),
}

impl Values {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(v) => v.len(),
            Values::Floats(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Rows in memory. A clone shares them and costs nothing.
///
/// ```
/// use narrows::data::Dataset;
/// let points = Dataset::from_rows("points", vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2])?;
/// assert_eq!((points.len(), points.columns()), (3, 2));
/// assert_eq!(points.rows_f32(1..3), [2.0, 3.0, 4.0, 5.0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset {
    name: Arc<str>,
    values: Arc<Values>,
    row_dims: Arc<[usize]>,
    labels: Option<Arc<[u8]>>,
    synthetic: bool,
}

/// What to train on, and what to judge by.
#[derive(Clone, Debug)]
pub struct Split {
    /// The rows to train on.
    pub train: Dataset,
    /// The rows that training never sees.
    pub test: Dataset,
}

impl Dataset {
    /// Rows of bytes, each meaning byte / 255. `row_dims` is the shape of one row, such as `[1, 28, 28]`.
    ///
    /// # Errors
    /// Not 1 to 3 dimensions, a dimension of 0, or values that are not whole rows.
    pub fn from_bytes(name: &str, values: Vec<u8>, row_dims: &[usize]) -> Result<Dataset> {
        check_rows(name, values.len(), row_dims)?;
        Ok(Dataset::trusted(name, Values::Bytes(values), row_dims, None))
    }

    /// Rows of floats. `row_dims` is the shape of one row, such as `[30]`.
    ///
    /// # Errors
    /// Not 1 to 3 dimensions, a dimension of 0, values that are not whole rows, or a value that is not finite.
    pub fn from_rows(name: &str, values: Vec<f32>, row_dims: &[usize]) -> Result<Dataset> {
        let columns = check_rows(name, values.len(), row_dims)?;
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::data(
                name,
                format!("row {}, column {} (both counted from 0) is {}", i / columns, i % columns, values[i]),
                "Every value must be finite: drop the row or fill the gap.",
            ));
        }
        Ok(Dataset::trusted(name, Values::Floats(values), row_dims, None))
    }

    /// What the caller has checked.
    fn trusted(name: &str, values: Values, row_dims: &[usize], labels: Option<Vec<u8>>) -> Dataset {
        Dataset { name: name.into(), values: Arc::new(values), row_dims: row_dims.into(), labels: labels.map(Into::into), synthetic: false }
    }

    /// The same rows with a label each.
    ///
    /// # Errors
    /// Another number of labels than of rows.
    pub fn with_labels(mut self, labels: Vec<u8>) -> Result<Dataset> {
        if labels.len() != self.len() {
            return Err(Error::data(
                &*self.name,
                format!("there are {} labels for {} rows", labels.len(), self.len()),
                "Give one label per row, in the order of the rows.",
            ));
        }
        self.labels = Some(labels.into());
        Ok(self)
    }

    /// The same rows, marked as made by a program: reports say so.
    pub fn synthetic(mut self) -> Dataset {
        self.synthetic = true;
        self
    }

    /// The same rows under another name.
    pub fn named(mut self, name: &str) -> Dataset {
        self.name = name.into();
        self
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements of one row.
    pub fn columns(&self) -> usize {
        self.row_dims.iter().product()
    }

    /// The shape of one row, such as `[1, 28, 28]` (channels, height, width).
    pub fn row_dims(&self) -> &[usize] {
        &self.row_dims
    }

    /// One label per row, if there are any.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// Whether a program made these rows.
    pub fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// All elements, row after row.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// (height, width) where a row is one grey image: `[1, height, width]` or `[height, width]`.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        match *self.row_dims {
            [1, height, width] | [height, width] => Some((height, width)),
            _ => None,
        }
    }

    /// The rows `range` as floats, bytes divided by 255. Rows that do not exist are left out.
    pub fn rows_f32(&self, range: Range<usize>) -> Vec<f32> {
        let span = self.span(range);
        match &*self.values {
            Values::Bytes(v) => v[span].iter().map(|&b| f32::from(b) / 255.0).collect(),
            Values::Floats(v) => v[span].to_vec(),
        }
    }

    /// A copy of the first `n` rows, or of all if there are fewer.
    pub fn head(&self, n: usize) -> Dataset {
        let span = self.span(0..n);
        let values = match &*self.values {
            Values::Bytes(v) => Values::Bytes(v[span].to_vec()),
            Values::Floats(v) => Values::Floats(v[span].to_vec()),
        };
        let labels = self.labels.as_ref().map(|labels| labels[..n.min(labels.len())].into());
        Dataset { values: Arc::new(values), labels, ..self.clone() }
    }

    /// Where the rows that exist of `range` lie in the values.
    fn span(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.len());
        range.start.min(end) * self.columns()..end * self.columns()
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("len", &self.len())
            .field("row_dims", &self.row_dims)
            .field("labels", &self.labels.is_some())
            .field("synthetic", &self.synthetic)
            .finish()
    }
}

/// The elements of one row, if `row_dims` is a shape and `len` is a number of whole rows.
fn check_rows(name: &str, len: usize, row_dims: &[usize]) -> Result<usize> {
    let columns = match row_dims.len() {
        1..=3 => Shape::new(row_dims)?.len(),
        _ => 0,
    };
    if columns == 0 {
        return Err(Error::data(
            name,
            format!("a row of shape {row_dims:?} has no elements or not 1 to 3 dimensions"),
            "Use [columns] for a table and [channels, height, width] for images.",
        ));
    }
    if !len.is_multiple_of(columns) {
        return Err(Error::data(
            name,
            format!("{len} values are not whole rows of {columns}: {} are left over", len % columns),
            "Pass every row complete, or another row shape.",
        ));
    }
    Ok(columns)
}

/// Opens a data set by name: `builtin` is the synthetic digits, anything else is a folder with the four files of MNIST
/// (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`), gzipped or not.
///
/// # Errors
/// A folder or file that is missing, or a file that is not what its header says.
///
/// ```
/// let digits = narrows::data::open("builtin")?;
/// assert_eq!((digits.train.len(), digits.test.len()), (20_000, 4_000));
/// assert!(digits.train.is_synthetic());
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn open(name: &str) -> Result<Split> {
    if name == "builtin" {
        return Ok(builtin());
    }
    #[cfg(feature = "files")]
    return idx::open(std::path::Path::new(name));
    #[cfg(not(feature = "files"))]
    Err(Error::argument(
        "data",
        format!("{name} is not builtin, and this build reads no files"),
        "Use builtin, or build with the feature files.",
    ))
}
