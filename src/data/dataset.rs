//! Rows in memory, with what is known of them.

use super::scaler::Scaler;
#[cfg(feature = "files")]
use super::schema::Schema;
use super::values::{Values, pick};
use crate::rng::permutation;
use crate::{Device, Error, Result, Shape, Tensor};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

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
    pub(super) name: Arc<str>,
    pub(super) values: Arc<Values>,
    pub(super) row_dims: Arc<[usize]>,
    pub(super) labels: Option<Arc<[u8]>>,
    pub(super) classes: Option<Arc<[String]>>,
    pub(super) ids: Option<Arc<[String]>>,
    /// Which of the values stand for gaps, ascending.
    pub(super) filled: Arc<[usize]>,
    #[cfg(feature = "files")]
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) notes: Arc<[String]>,
    pub(super) synthetic: bool,
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
        Dataset::from_values(name, values.into(), row_dims)
    }

    /// Rows of floats with more digits than a network sees: they are scaled before they are rounded.
    ///
    /// # Errors
    /// As [`Dataset::from_rows`].
    pub fn from_doubles(name: &str, values: Vec<f64>, row_dims: &[usize]) -> Result<Dataset> {
        Dataset::from_values(name, values.into(), row_dims)
    }

    /// Rows of any type.
    ///
    /// # Errors
    /// As [`Dataset::from_rows`].
    pub fn from_values(name: &str, values: Values, row_dims: &[usize]) -> Result<Dataset> {
        let columns = check_rows(name, values.len(), row_dims)?;
        check_finite(name, &values, columns)?;
        Ok(Dataset::trusted(name, values, row_dims, None))
    }

    /// A data set whose parts the caller has checked.
    pub(super) fn trusted(name: &str, values: Values, row_dims: &[usize], labels: Option<Vec<u8>>) -> Dataset {
        Dataset {
            name: name.into(),
            values: Arc::new(values),
            row_dims: row_dims.into(),
            labels: labels.map(Into::into),
            classes: None,
            ids: None,
            filled: Arc::default(),
            #[cfg(feature = "files")]
            schema: None,
            notes: Arc::default(),
            synthetic: false,
        }
    }

    /// The same rows with names for their labels, which the caller has checked.
    #[cfg(feature = "files")]
    pub(super) fn with_classes(mut self, classes: Vec<String>) -> Dataset {
        self.classes = Some(classes.into());
        self
    }

    /// The same rows with what each is called.
    #[cfg(feature = "files")]
    pub(crate) fn with_ids(mut self, ids: Vec<String>) -> Dataset {
        debug_assert_eq!(ids.len(), self.len());
        self.ids = Some(ids.into());
        self
    }

    /// The same rows with what made them.
    #[cfg(feature = "files")]
    pub(super) fn with_schema(mut self, schema: Schema) -> Dataset {
        self.schema = Some(Arc::new(schema));
        self
    }

    /// The same rows with further notes.
    #[cfg(feature = "files")]
    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Dataset {
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

    /// What the columns of the file are, where the rows come from a table; how images became rows, where they are such.
    #[cfg(feature = "files")]
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_deref()
    }

    /// What the columns are called, where the data say so.
    pub fn names(&self) -> Option<Vec<String>> {
        #[cfg(feature = "files")]
        return self.schema.as_ref()?.names();
        #[cfg(not(feature = "files"))]
        None
    }

    /// What the ids are called, if there are any.
    pub(super) fn id(&self) -> Option<&str> {
        self.ids.as_ref()?;
        #[cfg(feature = "files")]
        if let Some(id) = self.schema.as_ref().and_then(|schema| schema.id()) {
            return Some(id);
        }
        Some("file")
    }

    /// What each row is called, where the data say so: the fields of a column of ids, or the names of image files.
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
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
        let shape = Shape::new(&[self.len(), self.columns()]).ok().filter(|_| !matches!(*self.values, Values::Doubles(_)))?;
        Some(Tensor { view: device.share(self.values.clone(), self.values.dtype(), shape)?, below: None })
    }

    /// [channels, height, width] where a row is an image: grey in 1 channel, or red, green and blue in 3. Rows of two
    /// dimensions are grey.
    pub fn image_dims(&self) -> Option<[usize; 3]> {
        image_dims(&self.row_dims)
    }

    /// The rows `range` as floats, with bytes divided by 255. Rows that do not exist are left out. A value beyond f32
    /// becomes the largest f32.
    pub fn rows_f32(&self, range: Range<usize>) -> Vec<f32> {
        self.values.f32(self.span(range))
    }

    /// As [`Dataset::rows_f32`], with all digits.
    pub fn rows_f64(&self, range: Range<usize>) -> Vec<f64> {
        self.values.f64(self.span(range))
    }

    /// A copy of the rows `range`, of which those that do not exist are left out.
    pub fn rows(&self, range: Range<usize>) -> Dataset {
        let span = self.span(range);
        let rows = span.start / self.columns()..span.end / self.columns();
        let labels = self.labels.as_ref().map(|labels| labels[rows.clone()].into());
        let ids = self.ids.as_ref().map(|ids| ids[rows].into());
        let filled = self.filled_in(span.clone()).map(|at| at - span.start).collect();
        Dataset { values: Arc::new(self.values.part(span)), labels, ids, filled, ..self.clone() }
    }

    /// A copy of the first `n` rows, or of all if there are fewer.
    pub fn head(&self, n: usize) -> Dataset {
        self.rows(0..n)
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
        let (first, second) = split_rows(&self.name, self.len(), fraction, seed)?;
        Ok((self.pick(&first), self.pick(&second)))
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
        Ok(Dataset { values: Arc::new(Values::Floats(scaler.scale_values(&self.values))), ..self.clone() })
    }

    /// The rows as a network sees them without a scaler: a copy if they are doubles.
    ///
    /// # Errors
    /// A number beyond f32.
    pub(crate) fn unscaled(&self) -> Result<Dataset> {
        match &*self.values {
            values @ Values::Doubles(_) => {
                let values = values.unscaled(&self.name, self.columns())?.into_owned();
                Ok(Dataset { values: Arc::new(Values::Floats(values)), ..self.clone() })
            }
            _ => Ok(self.clone()),
        }
    }

    /// The same rows with other values.
    pub(crate) fn with_floats(&self, values: Vec<f32>) -> Dataset {
        debug_assert_eq!(values.len(), self.len() * self.columns());
        Dataset { values: Arc::new(Values::Floats(values)), ..self.clone() }
    }

    /// A copy of the rows with these numbers, counted from 0. Those that do not exist are left out.
    pub fn selected(&self, rows: &[usize]) -> Dataset {
        let rows: Vec<u32> = rows.iter().filter(|&&row| row < self.len()).map(|&row| row as u32).collect();
        self.pick(&rows)
    }

    /// A copy of the rows with these numbers, all of which exist.
    pub(super) fn pick(&self, rows: &[u32]) -> Dataset {
        let labels = self.labels.as_ref().map(|labels| pick(labels, 1, rows).into());
        let ids = self.ids.as_ref().map(|ids| rows.iter().map(|&row| ids[row as usize].clone()).collect());
        let columns = self.columns();
        let of = |(to, &from): (usize, &u32)| {
            let begin = from as usize * columns;
            self.filled_in(begin..begin + columns).map(move |at| at - begin + to * columns)
        };
        let filled = rows.iter().enumerate().flat_map(of).collect();
        Dataset { values: Arc::new(self.values.pick(columns, rows)), labels, ids, filled, ..self.clone() }
    }

    /// Those of these values that stand for gaps.
    fn filled_in(&self, span: Range<usize>) -> impl Iterator<Item = usize> {
        let [from, to] = [span.start, span.end].map(|end| self.filled.partition_point(|&at| at < end));
        self.filled[from..to].iter().copied()
    }

    /// Whether a number stands for a gap, which has no number in the file.
    #[cfg(feature = "files")]
    pub(crate) fn is_filled(&self, row: usize, column: usize) -> bool {
        self.filled.binary_search(&(row * self.columns() + column)).is_ok()
    }

    /// Where the existing rows of `range` lie in the values.
    pub(super) fn span(&self, range: Range<usize>) -> Range<usize> {
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

/// The numbers of the rows of two parts, each in order.
pub(super) fn split_rows(name: &str, rows: usize, fraction: f64, seed: u64) -> Result<(Vec<u32>, Vec<u32>)> {
    let rows = match u32::try_from(rows) {
        Ok(rows) if rows >= 2 => rows,
        _ => {
            let s = if rows == 1 { "" } else { "s" };
            let problem = format!("{rows} row{s} can't be split into two parts");
            return Err(Error::data(name, problem, "Give two rows or more, and fewer than 2^32."));
        }
    };
    let count = ((f64::from(rows) * fraction).round() as u32).clamp(1, rows - 1);
    let mut second = permutation(rows, seed, SPLIT, 0);
    let mut first = second.split_off(count as usize);
    first.sort_unstable();
    second.sort_unstable();
    Ok((first, second))
}

pub(super) fn image_dims(row_dims: &[usize]) -> Option<[usize; 3]> {
    match *row_dims {
        [height, width] => Some([1, height, width]),
        [channels @ (1 | 3), height, width] => Some([channels, height, width]),
        _ => None,
    }
}

pub(super) fn check_finite(name: &str, values: &Values, columns: usize) -> Result<()> {
    match values.not_finite() {
        None => Ok(()),
        Some((at, value)) => Err(Error::data(
            name,
            format!("row {}, column {} (both counted from 0) is {value}", at / columns, at % columns),
            "Every value must be finite: drop the row or fill the gap.",
        )),
    }
}

/// The elements of one row, if `row_dims` is a shape and `len` is a number of whole rows.
pub(super) fn check_rows(name: &str, len: usize, row_dims: &[usize]) -> Result<usize> {
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
