//! Data sets in memory: rows of bytes or floats, with labels where there are some.

mod chunks;
#[cfg(feature = "files")]
mod csv;
mod digits;
#[cfg(feature = "files")]
mod fingerprint;
#[cfg(feature = "files")]
mod idx;
#[cfg(feature = "files")]
mod images;
#[cfg(feature = "files")]
mod mnist;
#[cfg(feature = "files")]
mod npy;
#[cfg(feature = "files")]
mod open;
mod scaler;
mod strokes;
#[cfg(feature = "files")]
mod write;

pub use chunks::Chunks;
#[cfg(feature = "files")]
pub(crate) use csv::shorten;
pub use digits::{builtin, digits};
#[cfg(feature = "files")]
pub use fingerprint::fingerprint;
#[cfg(feature = "files")]
pub use mnist::{Origin, Progress, mnist, mnist_folder, mnist_from, mnist_is_cached, mnist_with};
#[cfg(feature = "files")]
pub use open::{Column, Options};
pub use scaler::{Scale, Scaler};
#[cfg(feature = "files")]
pub use write::RowWriter;

use crate::device::HostMemory;
use crate::rng::permutation;
use crate::{Device, Dtype, Error, Result, Shape, Tensor};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The elements of a data set, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels: the byte b stands for b / 255.
    Bytes(Vec<u8>),
    /// Plain numbers, all finite.
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

    /// The bytes in which they are stored.
    pub(crate) fn raw(&self) -> &[u8] {
        match self {
            Values::Bytes(v) => v,
            Values::Floats(v) => bytemuck::cast_slice(v),
        }
    }

    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Values::Bytes(_) => Dtype::U8,
            Values::Floats(_) => Dtype::F32,
        }
    }
}

/// Nobody writes to values behind an `Arc`.
impl HostMemory for Values {
    fn bytes(&self) -> &[u8] {
        self.raw()
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
    classes: Option<Arc<[String]>>,
    notes: Arc<[String]>,
    synthetic: bool,
}

/// The stream of random numbers that splits are drawn from.
const SPLIT: u32 = 0x6461_7401;

/// The rows to train on, and the rows to judge by.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Split {
    /// The rows to train on.
    pub train: Dataset,
    /// The rows that choose among epochs, where the data come with a part for it.
    pub validation: Option<Dataset>,
    /// The rows that training never sees.
    pub test: Dataset,
}

impl Split {
    /// Rows to train on, and rows that training never sees.
    pub fn new(train: Dataset, test: Dataset) -> Split {
        Split { train, validation: None, test }
    }

    /// The notes of all parts, each once.
    pub fn notes(&self) -> Vec<&str> {
        let mut notes = Vec::new();
        let parts = [Some(&self.train), self.validation.as_ref(), Some(&self.test)];
        for note in parts.into_iter().flatten().flat_map(Dataset::notes) {
            if !notes.contains(&note.as_str()) {
                notes.push(note.as_str());
            }
        }
        notes
    }
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
        check_finite(name, &values, columns)?;
        Ok(Dataset::trusted(name, Values::Floats(values), row_dims, None))
    }

    /// A data set whose parts the caller has checked.
    fn trusted(name: &str, values: Values, row_dims: &[usize], labels: Option<Vec<u8>>) -> Dataset {
        Dataset {
            name: name.into(),
            values: Arc::new(values),
            row_dims: row_dims.into(),
            labels: labels.map(Into::into),
            classes: None,
            notes: Arc::default(),
            synthetic: false,
        }
    }

    /// The same rows with names for their labels, which the caller has checked.
    #[cfg(feature = "files")]
    fn with_classes(mut self, classes: Vec<String>) -> Dataset {
        self.classes = Some(classes.into());
        self
    }

    /// The same rows with further notes.
    #[cfg(feature = "files")]
    fn with_notes(mut self, notes: Vec<String>) -> Dataset {
        self.notes = self.notes.iter().cloned().chain(notes).collect();
        self
    }

    /// The same rows with a label each.
    ///
    /// # Errors
    /// A number of labels that is not the number of rows.
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

    /// The same rows, marked as synthetic: reports say so.
    pub fn synthetic(mut self) -> Dataset {
        self.synthetic = true;
        self
    }

    /// The same rows under another name.
    pub fn named(mut self, name: &str) -> Dataset {
        self.name = name.into();
        self
    }

    /// The name in reports.
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

    /// The names of the classes, where labels had names: the label l is called `classes()[l]`.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// What a label is called: its name where there is one, else its number.
    pub fn class_name(&self, label: u8) -> String {
        let name = self.classes().and_then(|names| names.get(usize::from(label)));
        name.map_or_else(|| label.to_string(), |name| name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }

    /// What a reader left out or changed, a sentence each without a full stop, for people to see.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether a program made these rows.
    pub fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// All elements, row after row.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The elements, rows x columns, as a read-only tensor in the host's memory. `None` if the device needs a copy, or
    /// if they are too many for one tensor.
    pub(crate) fn shared(&self, device: &Device) -> Option<Tensor> {
        let shape = Shape::new(&[self.len(), self.columns()]).ok()?;
        Some(Tensor { view: device.share(self.values.clone(), self.values.dtype(), shape)?, below: None })
    }

    /// (height, width) where a row is one grey image: `[1, height, width]` or `[height, width]`.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        image_size(&self.row_dims)
    }

    /// The rows `range` as floats, with bytes divided by 255. Rows that do not exist are left out.
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

    /// Splits the rows at random: about (1 - `fraction`) of them, and `fraction` of them, at least one each. The same
    /// seed gives the same parts, and each part keeps the order of the rows.
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1, or fewer than two rows.
    ///
    /// ```
    /// let digits = narrows::data::digits(0, 0..600);
    /// let (train, validation) = digits.split(1.0 / 6.0, 0)?;
    /// assert_eq!((train.len(), validation.len()), (500, 100));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::argument("split", format!("the fraction is {fraction}"), "Use a number between 0 and 1, such as 0.1."));
        }
        let rows = match u32::try_from(self.len()) {
            Ok(rows) if rows >= 2 => rows,
            _ => {
                let problem = format!("{} rows can't be split into two parts", self.len());
                return Err(Error::data(&*self.name, problem, "Give two rows or more, and fewer than 2^32."));
            }
        };
        let second = ((f64::from(rows) * fraction).round() as u32).clamp(1, rows - 1);
        let mut order = permutation(rows, seed, SPLIT, 0);
        let (second, first) = order.split_at_mut(second as usize);
        first.sort_unstable();
        second.sort_unstable();
        Ok((self.pick(first), self.pick(second)))
    }

    /// A copy with each column scaled; labels and name stay.
    ///
    /// # Errors
    /// A scaler with another number of columns.
    pub fn scaled_by(&self, scaler: &Scaler) -> Result<Dataset> {
        if self.columns() != scaler.columns() {
            return Err(Error::data(
                &*self.name,
                format!("its rows have {} columns but the scaler is for {}", self.columns(), scaler.columns()),
                "Use a scaler that was learnt on such rows.",
            ));
        }
        let mut values = self.rows_f32(0..self.len());
        scaler.apply(&mut values);
        Ok(Dataset { values: Arc::new(Values::Floats(values)), ..self.clone() })
    }

    /// A copy of the rows with these numbers, all of which exist.
    fn pick(&self, rows: &[u32]) -> Dataset {
        fn of<T: Copy>(values: &[T], columns: usize, rows: &[u32]) -> Vec<T> {
            let mut picked = Vec::with_capacity(rows.len() * columns);
            rows.iter().for_each(|&row| picked.extend_from_slice(&values[row as usize * columns..][..columns]));
            picked
        }
        let values = match &*self.values {
            Values::Bytes(v) => Values::Bytes(of(v, self.columns(), rows)),
            Values::Floats(v) => Values::Floats(of(v, self.columns(), rows)),
        };
        let labels = self.labels.as_ref().map(|labels| of(labels, 1, rows).into());
        Dataset { values: Arc::new(values), labels, ..self.clone() }
    }

    /// Where the existing rows of `range` lie in the values.
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

fn image_size(row_dims: &[usize]) -> Option<(usize, usize)> {
    match *row_dims {
        [1, height, width] | [height, width] => Some((height, width)),
        _ => None,
    }
}

fn check_finite(name: &str, values: &[f32], columns: usize) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::data(
            name,
            format!("row {}, column {} (both counted from 0) is {}", i / columns, i % columns, values[i]),
            "Every value must be finite: drop the row or fill the gap.",
        )),
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
            "Pass complete rows, or another row shape.",
        ));
    }
    Ok(columns)
}

/// Opens a data set by name. `builtin` is the synthetic digits; `mnist` comes from the cache or the network (see
/// `mnist`); anything else is a path:
///
/// - a folder with the four files of MNIST (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
///   `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`), gzipped or not;
/// - one of these files, or a folder of torchvision's (`MNIST/raw`); EMNIST's files hold transposed images, which are
///   turned upright;
/// - a folder of images (PNG, JPEG, WebP, BMP, TIFF, the first frame of a GIF), where each sub-folder is a class; they
///   turn grey and take the size of the first;
/// - such a folder with the parts `train`, `valid` or `val`, and `test`; without a test part, the validation part is
///   the one to judge by;
/// - a CSV file of numbers, with or without a header;
/// - an npy file of f32, f64 or u8 (a byte b means b / 255), whose first dimension is the rows.
///
/// Data in one part are split at random, always in the same way: 5/6 to train, 1/6 to test. `Options` has more, such as
/// a column of labels.
///
/// # Errors
/// A missing folder or file, or a wrong file, with the line or the offset.
///
/// ```
/// let digits = narrows::data::open("builtin")?;
/// assert_eq!((digits.train.len(), digits.test.len()), (20_000, 4_000));
/// assert!(digits.train.is_synthetic());
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn open(name: &str) -> Result<Split> {
    #[cfg(feature = "files")]
    return Options::default().open(name);
    #[cfg(not(feature = "files"))]
    match name {
        "builtin" => Ok(builtin()),
        _ => Err(Error::argument(
            "data",
            format!("{name} is not builtin, and this build reads no files"),
            "Use builtin, or build with the feature `files`.",
        )),
    }
}
