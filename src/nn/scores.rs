//! Scores of rows beside their error: with the distance of their code, and by their sensitivity to noise.

use super::causes::Blame;
use super::rows::{Pass, Way};
use super::{Autoencoder, Explained, Typical, mean_square};
use crate::data::{Chunk, Chunks, Dataset, Rows};
use crate::rng::{Rng, purpose};
use crate::{Error, Result};

/// The most rows that `Typical` is learnt from. Of more, this many are taken, evenly from their order.
const MOST_ROWS: usize = 10_000;
/// The widest code for that: a covariance has the square of it.
pub(super) const WIDEST: usize = 256;
/// Noises that a row is tried with: the same for every row, so that a row alone has the score that it has among others.
const DRAWS: usize = 8;

impl Typical {
    /// Learns it from rows like those of the training. Of more than 10,000 rows 10,000 are taken, evenly from their
    /// order.
    ///
    /// # Errors
    /// When there are no rows, they do not fit the network, the code has more than 256 units, or the device fails.
    pub fn of(ae: &Autoencoder, rows: &Dataset) -> Result<Typical> {
        if rows.is_empty() {
            return Err(Error::data(rows.name(), "what is typical of no rows", "Pass at least one row."));
        }
        let units = ae.code_width();
        if units > WIDEST {
            let problem = format!("a code of {units} units");
            return Err(Error::argument("typical rows", problem, format!("Use a code of at most {WIDEST}.")));
        }
        let count = MOST_ROWS.min(rows.len());
        let some = rows.selected(&(0..count).map(|at| at * rows.len() / count).collect::<Vec<_>>());
        let codes: Vec<f64> = ae.encode(&some)?.values.iter().map(|&v| f64::from(v)).collect();
        Typical::learnt(&ae.score(&some)?, &codes, units)
    }
}

impl Autoencoder {
    /// The error of each row plus the squared Mahalanobis distance of its code, each over its mean in training: see
    /// [`Typical`].
    ///
    /// # Errors
    /// When the network does not know what is typical, the rows have another number of columns, or the device fails.
    pub fn distance_score(&self, data: &Dataset) -> Result<Vec<f32>> {
        together(self.distance_score_stream(data.chunks())?)
    }

    /// The same of a stream of rows: an item for each chunk of it, with one column.
    ///
    /// # Errors
    /// As [`Autoencoder::distance_score`].
    pub fn distance_score_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        Ok(self.explain_distance_stream(rows, 0)?.map(|chunk| Ok(chunk?.scores)))
    }

    /// The same, and for each row at most `most` columns that make most of its error; the distance of the code has
    /// none.
    ///
    /// # Errors
    /// As [`Autoencoder::distance_score`].
    pub fn explain_distance_stream(&self, rows: Chunks, most: usize) -> Result<impl Iterator<Item = Result<Explained>>> {
        let Some(typical) = self.typical() else {
            let problem = "it does not know what is typical of its training rows";
            return Err(Error::argument("network", problem, "Use `with_typical`, or train it again."));
        };
        let (mut back, mut codes) = (Pass::new(self, Way::Compare, &rows)?, Pass::new(self, Way::Encode, &rows)?);
        let (blame, columns, units) = (Blame::new(self, most), self.inputs(), self.code_width());
        Ok(rows.map(move |chunk| {
            let Chunk { values, ids, .. } = chunk?;
            let x = back.seen(&values)?;
            let (y, z) = (back.run(&x)?, codes.run(&x)?);
            let errors = x.chunks(columns).zip(y.chunks(columns)).map(|(x, y)| mean_square(x, y));
            let scores = errors.zip(z.chunks(units)).map(|(error, z)| typical.score(error, z)).collect();
            Ok(Explained { causes: blame.causes(&values, &x, &[y]), scores: Rows::new(1, scores).with_ids(ids) })
        }))
    }

    /// How sensitive the network is to noise at each row: the mean, over eight draws of normal noise and the columns,
    /// of the squared change of the reconstruction, as the network sees rows. Near the rows of its training a network
    /// that learnt to remove noise answers as before. `deviation` is the noise's standard deviation, in the network's
    /// units. The noise is the same for every row.
    ///
    /// # Errors
    /// When the deviation is not above 0, the rows have another number of columns, or the device fails.
    pub fn noise_score(&self, data: &Dataset, deviation: f32) -> Result<Vec<f32>> {
        together(self.noise_score_stream(data.chunks(), deviation)?)
    }

    /// The same of a stream of rows: an item for each chunk of it, with one column.
    ///
    /// # Errors
    /// As [`Autoencoder::noise_score`].
    pub fn noise_score_stream(&self, rows: Chunks, deviation: f32) -> Result<impl Iterator<Item = Result<Rows>>> {
        if !(deviation.is_finite() && deviation > 0.0) {
            let problem = format!("its standard deviation is {deviation}");
            return Err(Error::argument("noise", problem, "Use a number above 0, such as 0.1."));
        }
        let mut pass = Pass::new(self, Way::Compare, &rows)?;
        let columns = self.inputs();
        let mut rng = Rng::at_step(0, purpose::SENSITIVITY, 0);
        let noise: Vec<f32> = (0..DRAWS * columns).map(|_| (f64::from(deviation) * rng.normal()) as f32).collect();
        Ok(rows.map(move |chunk| {
            let Chunk { values, ids, .. } = chunk?;
            let x = pass.seen(&values)?.into_owned();
            let still = pass.run(&x)?;
            let mut sums = vec![0.0; x.len() / columns];
            for noise in noise.chunks(columns) {
                let moved: Vec<f32> = x.iter().zip(noise.iter().cycle()).map(|(x, noise)| x + noise).collect();
                let y = pass.run(&moved)?;
                let changes = still.chunks(columns).zip(y.chunks(columns)).map(|(a, b)| mean_square(a, b));
                sums.iter_mut().zip(changes).for_each(|(sum, change)| *sum += change);
            }
            Ok(Rows::new(1, sums.into_iter().map(|sum| (sum / DRAWS as f64) as f32).collect()).with_ids(ids))
        }))
    }
}

/// All rows of a stream.
fn together(chunks: impl Iterator<Item = Result<Rows>>) -> Result<Vec<f32>> {
    let chunks = chunks.collect::<Result<Vec<_>>>()?;
    Ok(chunks.into_iter().flat_map(|chunk| chunk.values).collect())
}

#[cfg(test)]
mod tests {
    use crate::data::Dataset;
    use crate::nn::Output;
    use crate::{Autoencoder, Device};

    #[test]
    fn a_linear_network_answers_every_row_alike_and_more_to_more_noise() {
        let ae = Autoencoder::builder(3).layers([1]).output(Output::Linear).build(&Device::cpu().unwrap()).unwrap();
        ae.params().write("encoder.0.weight", &[2.0, 0.0, 0.0]).unwrap();
        ae.params().write("decoder.0.weight", &[1.0, 0.0, 0.0]).unwrap();
        let rows = Dataset::from_rows("rows", vec![0.0, 0.0, 0.0, 5.0, 1.0, 2.0], &[3]).unwrap();
        let [small, large] = [0.1, 0.2].map(|noise| ae.noise_score(&rows, noise).unwrap());
        assert!((small[0] - small[1]).abs() < 1e-6 && (large[0] / small[0] - 4.0).abs() < 1e-4, "{small:?} {large:?}");
        // The first column alone comes through, twice as large: a third of 4 sigma^2, by eight draws.
        assert!((0.2..3.0).contains(&(small[0] / (4.0 * 0.01 / 3.0))), "{small:?}");
        assert_eq!(ae.noise_score(&rows.rows(1..2), 0.1).unwrap(), small[1..], "a row alone has its score");
        for wrong in [0.0, -1.0, f32::NAN] {
            assert!(ae.noise_score(&rows, wrong).is_err());
        }
    }
}
