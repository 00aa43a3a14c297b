//! The rows of a stream with the largest scores.

use crate::data::{Chunks, Dataset, Rows, Values};
use crate::{Autoencoder, Result};

/// Items with the largest scores so far, the largest first; of equal scores the earlier, and NaN is the largest.
struct Kept<T> {
    most: usize,
    items: Vec<(f32, T)>,
}

impl<T> Kept<T> {
    fn new(most: usize) -> Kept<T> {
        Kept { most, items: Vec::new() }
    }

    /// Takes an item, which is made only if it is among them.
    fn offer(&mut self, score: f32, item: impl FnOnce() -> T) {
        let rank = |score: f32| if score.is_nan() { f32::INFINITY } else { score };
        let next = self.items.partition_point(|(other, _)| rank(*other) >= rank(score));
        if next < self.most {
            self.items.insert(next, (score, item()));
            self.items.truncate(self.most);
        }
    }
}

/// The `most` rows with the largest numbers in the first column, the largest first; of equal ones the earlier. NaN
/// counts as the largest. No more than a chunk of the others is in memory. Rows without ids get their numbers in the
/// stream as ids, counted from 0.
///
/// # Errors
/// Those of the stream.
///
/// ```
/// use narrows::{data::Rows, tasks::highest};
/// let chunks = [vec![0.1, f32::NAN, 0.9], vec![0.4, 0.4]].map(|scores| Ok(Rows::new(1, scores)));
/// let rows = highest(chunks.into_iter(), 3)?;
/// assert_eq!((rows.ids.unwrap().join(" "), &rows.values[1..]), ("1 2 3".to_string(), &[0.9, 0.4][..]));
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn highest(chunks: impl Iterator<Item = Result<Rows>>, most: usize) -> Result<Rows> {
    struct Row {
        values: Vec<f32>,
        id: String,
        texts: Vec<String>,
    }
    let (mut kept, mut seen, mut columns) = (Kept::new(most), 0, 1);
    for chunk in chunks {
        let chunk = chunk?;
        columns = chunk.columns;
        let per_row = chunk.texts.len().checked_div(chunk.rows).unwrap_or(0);
        for (at, values) in chunk.values.chunks(columns).enumerate() {
            kept.offer(values[0], || Row {
                values: values.to_vec(),
                id: chunk.ids.as_ref().map_or_else(|| (seen + at).to_string(), |ids| ids[at].clone()),
                texts: chunk.texts[at * per_row..(at + 1) * per_row].to_vec(),
            });
        }
        seen += chunk.rows;
    }
    let (mut values, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for (_, row) in kept.items {
        values.extend(row.values);
        ids.push(row.id);
        texts.extend(row.texts);
    }
    Ok(Rows::new(columns, values).with_ids(Some(ids)).with_texts(texts))
}

/// The rows of a stream with the largest scores, the largest first.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Highest {
    /// The rows, in their own units.
    pub rows: Dataset,
    /// Where each stood in the stream, counted from 0.
    pub places: Vec<usize>,
    /// What each is called, where the stream says so.
    pub ids: Option<Vec<String>>,
    /// The score of each.
    pub scores: Vec<f32>,
    /// How many rows the stream had.
    pub of: usize,
}

impl Highest {
    /// At most `most` of the rows; of equal scores the first. No more than a chunk of the others is in memory.
    ///
    /// # Errors
    /// When the rows do not fit the network, or the stream or the device fails.
    pub fn of(ae: &Autoencoder, rows: Chunks, most: usize) -> Result<Highest> {
        struct Row {
            place: usize,
            id: Option<String>,
            values: Vec<f64>,
        }
        let (name, columns) = (rows.name(), rows.columns());
        let (mut kept, mut of) = (Kept::new(most), 0);
        for chunk in rows {
            let chunk = chunk?;
            let data = Dataset::from_values(&name, chunk.values, &[columns])?;
            for (at, score) in ae.score(&data)?.into_iter().enumerate() {
                kept.offer(score, || Row {
                    place: of + at,
                    id: chunk.ids.as_ref().map(|ids| ids[at].clone()),
                    values: data.rows_f64(at..at + 1),
                });
            }
            of += data.len();
        }
        let values: Vec<f64> = kept.items.iter().flat_map(|(_, row)| row.values.iter().copied()).collect();
        Ok(Highest {
            rows: Dataset::from_values(&name, Values::from(values), &[columns])?,
            places: kept.items.iter().map(|(_, row)| row.place).collect(),
            scores: kept.items.iter().map(|(score, _)| *score).collect(),
            ids: kept.items.into_iter().map(|(_, row)| row.id).collect(),
            of,
        })
    }
}
