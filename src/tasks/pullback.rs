//! Codes measured by what the decoder makes of them.

use super::augment::deviation;
use crate::data::Rows;
use crate::nn::{Decoder, Output, cholesky};
use crate::{Autoencoder, Error, Result};
use rayon::prelude::*;

/// Codes at which the decoder's derivatives are taken, evenly from the order of the codes.
const CODES: usize = 256;
/// The most products of derivatives, which wide codes of wide rows have: of these fewer codes are taken, but as many as
/// this.
const PRODUCTS: usize = 1 << 30;
const LEAST_CODES: usize = 8;
/// How far a unit is moved to either side, as a part of its standard deviation. Derivatives of a decoder with kinks
/// are those over this span.
const STEP: f64 = 0.05;
/// What is added to each squared length, as a part of the largest.
const FLOOR: f64 = 1e-9;

/// Turns and stretches codes, so that distances between them are those between their decoded rows, on average and for
/// near codes: units that the decoder hardly uses count little, and two that do the same count as one. It is a linear
/// map by the mean of the decoder's pullback metric, the product of its Jacobian, transposed, with itself (Arvanitidis,
/// Hansen and Hauberg 2018), in the network's units.
///
/// ```
/// use narrows::{Autoencoder, Device, data::Rows, nn::Output, tasks::Pullback};
/// let ae = Autoencoder::builder(3).layers([2]).output(Output::Linear).build(&Device::cpu()?)?;
/// ae.params().write("decoder.0.weight", &[0.0, 3.0, 0.0, 4.0, 0.0, 0.0])?;   // only the second unit is used
/// let codes = Rows::new(2, vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
/// let seen = Pullback::of(&ae, &codes)?.apply(&codes)?;
/// let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
/// let lengths: Vec<f32> = seen.values.chunks(2).map(length).collect();
/// assert!(lengths[1] < 1e-3 && (lengths[2] - 5.0).abs() < 1e-3);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pullback {
    units: usize,
    /// The lower Cholesky factor of the mean metric: its rows up to the diagonal, one after the other.
    factor: Vec<f64>,
}

impl Pullback {
    /// Learns the metric at some codes, at most 256 of them.
    ///
    /// # Errors
    /// When there are no codes, they are not as wide as those of the network, or the device fails.
    pub fn of(ae: &Autoencoder, codes: &Rows) -> Result<Pullback> {
        let units = ae.code_width();
        check(codes, units)?;
        if codes.rows == 0 {
            return Err(Error::argument("codes", "there are none", "Pass at least one."));
        }
        let step = |unit| match STEP * deviation(codes.values.iter().skip(unit).step_by(units)) {
            step if step > 0.0 => step,
            // It does not vary.
            _ => STEP,
        };
        let steps: Vec<f64> = (0..units).map(step).collect();
        let (mut decoder, columns) = (Decoder::new(ae), ae.inputs());
        let mut metric = vec![0.0; units * (units + 1) / 2];
        let affordable = PRODUCTS / (units * units).saturating_mul(columns).max(1);
        let count = CODES.min(affordable.max(LEAST_CODES)).min(codes.rows);
        let pairs: Vec<(usize, usize)> = (0..units).flat_map(|a| (0..=a).map(move |b| (a, b))).collect();
        let some = (0..count).map(|at| at * codes.rows / count);
        for code in some.map(|row| &codes.values[row * units..(row + 1) * units]) {
            let moved = |(unit, by): (usize, f64)| {
                code.iter().enumerate().map(move |(at, &z)| if at == unit { (f64::from(z) + by) as f32 } else { z })
            };
            let both: Vec<f32> = (0..units).flat_map(|unit| [(unit, steps[unit]), (unit, -steps[unit])]).flat_map(moved).collect();
            let decoded = decoder.logits(&both)?;
            let slope = |(unit, two): (usize, &[f32])| -> Vec<f64> {
                // What f32 has made of the two sides.
                let span = f64::from(both[2 * unit * units + unit]) - f64::from(both[(2 * unit + 1) * units + unit]);
                let (up, down) = two.split_at(columns);
                let difference = |(&up, &down)| match ae.output() {
                    Output::Linear => f64::from(up) - f64::from(down),
                    Output::Sigmoid => sigmoid(up) - sigmoid(down),
                };
                up.iter().zip(down).map(|pair| if span > 0.0 { difference(pair) / span } else { 0.0 }).collect()
            };
            let jacobian: Vec<Vec<f64>> = decoded.chunks(2 * columns).enumerate().map(slope).collect();
            metric.par_iter_mut().zip(&pairs).for_each(|(sum, &(a, b))| {
                *sum += jacobian[a].iter().zip(&jacobian[b]).map(|(a, b)| a * b).sum::<f64>() / count as f64;
            });
        }
        let diagonal = (0..units).map(|unit| metric[unit * (unit + 1) / 2 + unit]);
        let floor = FLOOR * diagonal.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        cholesky(&mut metric, units, floor);
        Ok(Pullback { units, factor: metric })
    }

    /// The codes as the decoder sees them.
    ///
    /// # Errors
    /// When they are not as wide as those of the network.
    pub fn apply(&self, codes: &Rows) -> Result<Rows> {
        check(codes, self.units)?;
        // A row times the lower triangle.
        let number = |code: &[f32], column: usize| {
            let terms = (column..self.units).map(|row| f64::from(code[row]) * self.factor[row * (row + 1) / 2 + column]);
            terms.sum::<f64>() as f32
        };
        let values =
            codes.values.chunks(self.units).flat_map(|code| (0..self.units).map(|column| number(code, column)).collect::<Vec<_>>());
        Ok(Rows::new(self.units, values.collect()).with_ids(codes.ids.clone()))
    }
}

fn check(codes: &Rows, units: usize) -> Result<()> {
    match codes.columns == units {
        true => Ok(()),
        false => {
            let problem = format!("they have {} numbers, and the network's {units}", codes.columns);
            Err(Error::argument("codes", problem, "Pass codes of this network."))
        }
    }
}

fn sigmoid(z: f32) -> f64 {
    1.0 / (1.0 + libm::exp(-f64::from(z)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    /// Squared distances of the first row from the others.
    fn squares(rows: &Rows) -> Vec<f64> {
        let first = &rows.values[..rows.columns];
        let square = |row: &[f32]| row.iter().zip(first).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        rows.values.chunks(rows.columns).skip(1).map(square).collect()
    }

    fn codes(rows: usize, units: usize, scale: f32) -> Rows {
        Rows::new(units, (0..rows * units).map(|i| ((i * 7919 % 101) as f32 / 50.0 - 1.0) * scale).collect())
    }

    #[test]
    fn distances_are_those_of_what_a_linear_decoder_makes() {
        let ae = Autoencoder::builder(9).layers([4]).output(Output::Linear).seed(3).build(&Device::cpu().unwrap()).unwrap();
        let codes = codes(300, 4, 2.0);
        let seen = Pullback::of(&ae, &codes).unwrap().apply(&codes).unwrap();
        for (seen, decoded) in squares(&seen).into_iter().zip(squares(&ae.decode(&codes).unwrap())) {
            assert!((seen - decoded).abs() < 1e-4 * decoded.max(1.0), "{seen} {decoded}");
        }
    }

    #[test]
    fn near_codes_are_as_far_apart_as_what_a_sigmoid_makes_of_them() {
        let ae = Autoencoder::builder(9).layers([6, 3]).seed(5).build(&Device::cpu().unwrap()).unwrap();
        let codes = codes(100, 3, 0.02);
        let seen = Pullback::of(&ae, &codes).unwrap().apply(&codes).unwrap();
        for (seen, decoded) in squares(&seen).into_iter().zip(squares(&ae.decode(&codes).unwrap())) {
            assert!((seen / decoded - 1.0).abs() < 0.1, "{seen} {decoded}");
        }
    }

    #[test]
    fn codes_that_are_not_of_the_network_are_refused() {
        let ae = Autoencoder::builder(9).layers([4]).build(&Device::cpu().unwrap()).unwrap();
        let refused = |rows: &Rows| Pullback::of(&ae, rows).unwrap_err().to_string();
        assert!(refused(&codes(5, 3, 1.0)).contains("they have 3 numbers, and the network's 4"));
        assert!(refused(&Rows::new(4, Vec::new())).contains("there are none"));
        // Codes that do not vary, of one row.
        let still = Rows::new(4, vec![1.0; 4]);
        assert!(Pullback::of(&ae, &still).unwrap().apply(&still).unwrap().values.iter().all(|v| v.is_finite()));
    }
}
