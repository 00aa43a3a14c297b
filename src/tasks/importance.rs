//! Which columns a code uses.

use super::sampling::drawn;
use crate::data::Dataset;
use crate::rng::permutation;
use crate::{Autoencoder, Error, Result};

/// The most columns: there is a pass over the rows for each.
const MOST_COLUMNS: usize = 4096;

/// What a column is worth to the code.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The Euclidean norm of the first layer's weights for each column, in the network's units.
    pub norms: Vec<f64>,
    /// For each column: by how much the squared error of the other columns, mean over the rows and these columns, rises
    /// where the column is shuffled among the rows: what the network takes from it to know the others.
    pub losses: Vec<f64>,
    /// The same with the column itself: what of it is lost where its own values are those of other rows.
    pub own: Vec<f64>,
}

impl Importance {
    /// Measures every column on some rows: a pass through the network for each. Columns are shuffled by the seed
    /// (permutation importance: Breiman 2001).
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, data, tasks::Importance};
    /// let ae = Autoencoder::builder(784).layers([8]).build(&Device::cpu()?)?;
    /// let found = Importance::of(&ae, &data::digits(0, 0..20), 0)?;
    /// assert_eq!(found.losses[0], 0.0);           // the corner is dark in all images
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are more than 4,096 columns, the rows do not fit the network, there are none, or the device fails.
    pub fn of(ae: &Autoencoder, rows: &Dataset, seed: u64) -> Result<Importance> {
        if rows.is_empty() {
            return Err(Error::data(rows.name(), "a mean over no rows", "Pass at least one row."));
        }
        let (columns, n) = (ae.inputs(), rows.len());
        if columns > MOST_COLUMNS {
            let problem = format!("{columns} columns, and a pass over the rows for each");
            return Err(Error::argument("importance", problem, format!("Use at most {MOST_COLUMNS}: make images smaller.")));
        }
        let plain = ae.clone().without_scaler()?;
        let scaled = ae.scaled(rows)?;
        let x = scaled.rows_f32(0..n);
        // The squared error of each column, mean over the rows, where the network sees `seen`.
        let errors = |seen: Vec<f32>| -> Result<Vec<f64>> {
            let back = plain.reconstruct(&Dataset::from_rows(rows.name(), seen, &[columns])?)?;
            let mut sums = vec![0.0; columns];
            for (x, y) in x.chunks(columns).zip(back.values.chunks(columns)) {
                sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (&x, &y))| *sum += (f64::from(x) - f64::from(y)).powi(2) / n as f64);
            }
            Ok(sums)
        };
        let whole = errors(x.clone())?;
        let order = permutation(n as u32, seed, drawn::COLUMNS, 0);
        let (mut losses, mut own) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
        for column in 0..columns {
            let at = |row: usize| x[row * columns + column];
            if (0..n).all(|row| at(row) == at(0)) {
                losses.push(0.0);
                own.push(0.0);
                continue;
            }
            let mut seen = x.clone();
            order.iter().enumerate().for_each(|(row, &from)| seen[row * columns + column] = at(from as usize));
            let rise: Vec<f64> = errors(seen)?.iter().zip(&whole).map(|(after, before)| after - before).collect();
            own.push(rise[column]);
            losses.push((rise.iter().sum::<f64>() - rise[column]) / (columns - 1).max(1) as f64);
        }
        Ok(Importance { norms: norms(ae)?, losses, own })
    }

    /// The columns by what they are worth to the others, the most first.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.losses.len()).collect();
        order.sort_by(|&a, &b| self.losses[b].total_cmp(&self.losses[a]).then(self.norms[b].total_cmp(&self.norms[a])));
        order
    }
}

/// The norm of each column of the first layer's weights.
fn norms(ae: &Autoencoder) -> Result<Vec<f64>> {
    let columns = ae.inputs();
    // A variational encoder without hidden layers begins with the heads.
    let first = ae.spec().layout().into_iter().next().map_or_else(String::new, |(name, _)| name);
    let weights = ae.params().read(&first)?;
    let norm = |column: usize| weights.iter().skip(column).step_by(columns).map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
    Ok((0..columns).map(norm).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::nn::Output;

    #[test]
    fn a_column_that_tells_another_is_worth_its_error() {
        let device = Device::cpu().unwrap();
        let ae = Autoencoder::builder(3).layers([1]).output(Output::Linear).build(&device).unwrap();
        // The code is column 0; the decoder gives columns 0 and 1 from it, and a constant for column 2.
        ae.params().write("encoder.0.weight", &[1.0, 0.0, 0.0]).unwrap();
        ae.params().write("decoder.0.weight", &[1.0, 2.0, 0.0]).unwrap();
        for half in ["encoder", "decoder"] {
            let bias = vec![0.0; if half == "encoder" { 1 } else { 3 }];
            ae.params().write(&format!("{half}.0.bias"), &bias).unwrap();
        }
        let values: Vec<f32> = (0..8).flat_map(|i| [i as f32, 2.0 * i as f32, 5.0]).collect();
        let rows = Dataset::from_rows("rows", values, &[3]).unwrap();
        let found = Importance::of(&ae, &rows, 0).unwrap();
        assert_eq!(found.norms, [1.0, 0.0, 0.0]);
        // By how much a row's code moves, squared, mean: the other columns move by twice that, and there are two.
        let order = permutation(8, 0, drawn::COLUMNS, 0);
        let moved = order.iter().enumerate().map(|(row, &from)| (row as f64 - f64::from(from)).powi(2)).sum::<f64>() / 8.0;
        assert_eq!((found.own[0], found.losses[0]), (moved, 4.0 * moved / 2.0));
        assert_eq!((&found.losses[1..], &found.own[1..]), (&[0.0, 0.0][..], &[0.0, 0.0][..]));
        assert_eq!(found.order()[0], 0);
        assert!(Importance::of(&ae, &rows.head(0), 0).is_err());
    }
}
