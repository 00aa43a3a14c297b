//! The rows of a stream that look most like anomalies.

use crate::data::{Chunks, Dataset, Values};
use crate::{Autoencoder, Result};

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

/// A row while others are still to come.
struct Kept {
    score: f32,
    place: usize,
    id: Option<String>,
    row: Vec<f64>,
}

impl Highest {
    /// At most `most` of the rows; of equal scores the first. No more than a chunk of the others is in memory.
    ///
    /// # Errors
    /// When the rows do not fit the network, or the stream or the device fails.
    pub fn of(ae: &Autoencoder, rows: Chunks, most: usize) -> Result<Highest> {
        let (name, columns) = (rows.name(), rows.columns());
        let (mut kept, mut of) = (Vec::<Kept>::new(), 0);
        for chunk in rows {
            let chunk = chunk?;
            let data = Dataset::from_values(&name, chunk.values, &[columns])?;
            for (at, score) in ae.score(&data)?.into_iter().enumerate() {
                let score = if score.is_nan() { f32::INFINITY } else { score };
                if kept.len() == most && kept.last().is_none_or(|last| last.score >= score) {
                    continue;
                }
                let id = chunk.ids.as_ref().map(|ids| ids[at].clone());
                let next = kept.partition_point(|other| other.score >= score);
                kept.insert(next, Kept { score, place: of + at, id, row: data.rows_f64(at..at + 1) });
                kept.truncate(most);
            }
            of += data.len();
        }
        let values: Vec<f64> = kept.iter().flat_map(|kept| kept.row.iter().copied()).collect();
        Ok(Highest {
            rows: Dataset::from_values(&name, Values::from(values), &[columns])?,
            places: kept.iter().map(|kept| kept.place).collect(),
            scores: kept.iter().map(|kept| kept.score).collect(),
            ids: kept.into_iter().map(|kept| kept.id).collect(),
            of,
        })
    }
}
