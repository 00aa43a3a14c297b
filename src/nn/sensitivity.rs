//! How much a network's answer to a row changes with noise.

use super::rows::{Pass, Way};
use super::{Autoencoder, mean_square};
use crate::data::{Chunk, Chunks, Rows};
use crate::rng::{Rng, purpose};
use crate::{Error, Result};

/// Noises that a row is tried with: the same for every row, so that a row alone has the score that it has among others.
const DRAWS: usize = 8;

/// For each row of a stream the mean, over eight noises and the columns, of the squared change of the reconstruction
/// where the noise is added to the row: an item for each chunk, with one column.
pub(super) fn stream(ae: &Autoencoder, rows: Chunks, deviation: f32, seed: u64) -> Result<impl Iterator<Item = Result<Rows>>> {
    if !(deviation.is_finite() && deviation > 0.0) {
        return Err(Error::argument("noise", format!("its standard deviation is {deviation}"), "Use a number above 0, such as 0.1."));
    }
    let mut pass = Pass::new(ae, Way::Compare, &rows)?;
    let columns = ae.inputs();
    let mut rng = Rng::at_step(seed, purpose::SENSITIVITY, 0);
    let noise: Vec<f32> = (0..DRAWS * columns).map(|_| (f64::from(deviation) * rng.normal()) as f32).collect();
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids } = chunk?;
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
