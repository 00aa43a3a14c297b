//! The row that a unit of the code answers most to.

use crate::data::{Dataset, Rows};
use crate::nn::Output;
use crate::{Adam, AdamConfig, Autoencoder, Error, Params, Result, Tape, Tensor};

/// Steps of ascent, and their size.
const STEPS: usize = 200;
const RATE: f64 = 0.05;
/// Rows that are kept of them, the first and the last among them.
const KEPT: usize = 11;
/// Grey values are kept this far from 0 and 1, where a sigmoid has no slope.
const EDGE: f64 = 0.01;
/// Of rows of any size: the weight of half the squared distance from the first, so that the ascent has an end.
const PULL: f32 = 0.01;

/// A row on its way to what a unit answers most to.
#[derive(Clone, Debug, PartialEq)]
pub struct Dream {
    /// Eleven rows, from the first to the last.
    pub rows: Rows,
    /// The unit's value for each of them.
    pub values: Vec<f32>,
}

impl Dream {
    /// Begins with the mean of some rows and climbs along the gradient of one unit of the code by the row, 200 steps of
    /// Adam (activation maximisation: Erhan et al. 2009; as pictures, DeepDream, 2015). A column moves the
    /// more, the more it changes among the rows. Of a network with a sigmoid output, the row stays in (0, 1): it is the
    /// sigmoid of what climbs. Of another, it is pulled back to where it began by a hundredth of its distance.
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, data, tasks::Dream};
    /// let ae = Autoencoder::builder(784).layers([8]).build(&Device::cpu()?)?;
    /// let dream = Dream::of(&ae, &data::digits(0, 0..20), 3)?;
    /// assert!(dream.values[10] > dream.values[0]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such unit, the rows do not fit the network, there are none, or the device fails.
    pub fn of(ae: &Autoencoder, rows: &Dataset, unit: usize) -> Result<Dream> {
        let (units, columns) = (ae.code_width(), ae.inputs());
        if unit >= units {
            let problem = format!("there is no unit {unit}");
            return Err(Error::argument("dream", problem, format!("The code has the units 0 to {}.", units - 1)));
        }
        if rows.is_empty() {
            return Err(Error::data(rows.name(), "a mean over no rows", "Pass at least one row."));
        }
        let scaled = ae.scaled(rows)?;
        let mean = mean(&scaled);
        let sigmoid = ae.output() == Output::Sigmoid;
        // A column moves by its own spread: one that never changes stays as it is, since nothing has taught the network
        // what it means.
        let spread = spread(&scaled, &mean);
        let home: Vec<f32> = match sigmoid {
            true => mean.iter().map(|&x| x.clamp(EDGE, 1.0 - EDGE)).map(|x| libm::log(x / (1.0 - x)) as f32).collect(),
            false => mean.iter().map(|&x| x as f32).collect(),
        };
        let device = ae.device();
        let params = Params::new(device, &[("row".into(), vec![1, columns])])?;
        let adam = Adam::new(&params, AdamConfig { learning_rate: RATE, ..AdamConfig::default() })?;
        let one: Vec<f32> = (0..units).map(|at| if at == unit { -1.0 } else { 0.0 }).collect();
        let mut tape = Tape::plan(device);
        let input = |tape: &mut Tape, row: &[f32]| tape.input(&Tensor::new(device, row, &[1, columns])?);
        let (q, spread, home) = (tape.param(&params, "row")?, input(&mut tape, &spread)?, input(&mut tape, &home)?);
        let moved = tape.mul(q, spread)?;
        let p = tape.add(moved, home)?;
        let x = if sigmoid { tape.sigmoid(p)? } else { p };
        let code = ae.encode_on(&mut tape, x)?;
        let one = tape.input(&Tensor::new(device, &one, &[1, units])?)?;
        let less = tape.dense(code, one, None)?;
        let down = tape.sum(less)?;
        let down = match sigmoid {
            true => down,
            false => {
                let still = input(&mut tape, &vec![0.0; columns])?;
                let square = tape.mse(q, still)?;
                let pull = tape.scale(square, PULL / 2.0 * columns as f32)?;
                tape.add(down, pull)?
            }
        };
        tape.backward(down)?;
        adam.step(&mut tape)?;
        let mut program = tape.compile()?;
        let (mut all, mut values) = (Vec::with_capacity(KEPT * columns), Vec::with_capacity(KEPT));
        for kept in 0..KEPT {
            // A step reads the row before it moves it: the first kept row is the one it began with.
            program.run(if kept == 0 { 1 } else { STEPS / (KEPT - 1) })?;
            all.extend(program.read(x)?);
            values.push(-program.read(less)?[0]);
        }
        if values.iter().chain(&all).any(|v| !v.is_finite()) {
            return Err(Error::argument("dream", format!("unit {unit} grows beyond all numbers"), "Choose another unit."));
        }
        let rows = match ae.scaler() {
            Some(scaler) => scaler.undo(&all).into_iter().map(|v| v as f32).collect(),
            None => all,
        };
        Ok(Dream { rows: Rows::new(columns, rows), values })
    }
}

/// The standard deviation of each column as a share of the largest; 1 where no column changes.
fn spread(rows: &Dataset, mean: &[f64]) -> Vec<f32> {
    let mut squares = vec![0.0; mean.len()];
    for row in 0..rows.len() {
        squares.iter_mut().zip(rows.rows_f64(row..row + 1)).zip(mean).for_each(|((sum, x), mean)| *sum += (x - mean) * (x - mean));
    }
    let most = squares.iter().copied().fold(0.0, f64::max);
    squares.into_iter().map(|square| if most > 0.0 { (square / most).sqrt() as f32 } else { 1.0 }).collect()
}

fn mean(rows: &Dataset) -> Vec<f64> {
    let mut sums = vec![0.0; rows.columns()];
    for row in 0..rows.len() {
        sums.iter_mut().zip(rows.rows_f64(row..row + 1)).for_each(|(sum, x)| *sum += x / rows.len() as f64);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn a_linear_unit_is_climbed_along_its_weights() {
        let device = Device::cpu().unwrap();
        let ae = Autoencoder::builder(3).layers([2]).build(&device).unwrap();
        ae.params().write("encoder.0.weight", &[0.0, 0.0, 0.0, 2.0, -1.0, 0.0]).unwrap();
        let rows = Dataset::from_rows("rows", vec![0.4, 0.6, 0.3, 0.6, 0.4, 0.1], &[3]).unwrap();
        let Dream { rows: course, values } = Dream::of(&ae, &rows, 1).unwrap();
        assert_eq!((course.rows, values.len()), (11, 11));
        let (first, last) = (&course.values[..3], &course.values[30..]);
        assert!(first.iter().zip([0.5, 0.5, 0.2]).all(|(a, b)| (a - b).abs() < 1e-6), "{first:?}");
        assert!(last[0] > 0.98 && last[1] < 0.02 && (last[2] - 0.2).abs() < 1e-6, "{last:?}");
        assert!(values.windows(2).all(|two| two[1] > two[0]), "{values:?}");
        assert!(Dream::of(&ae, &rows, 2).unwrap_err().to_string().contains("no unit 2") && Dream::of(&ae, &rows.head(0), 0).is_err());
    }

    #[test]
    fn rows_of_any_size_end_where_pull_and_slope_are_equal() {
        let device = Device::cpu().unwrap();
        let ae = Autoencoder::builder(2).layers([1]).output(Output::Linear).build(&device).unwrap();
        ae.params().write("encoder.0.weight", &[0.05, -0.02]).unwrap();
        let rows = Dataset::from_rows("rows", vec![1.0, 2.0], &[2]).unwrap();
        let last = Dream::of(&ae, &rows, 0).unwrap().rows.values[20..].to_vec();
        assert!((last[0] - 6.0).abs() < 0.5 && (last[1] - 0.0).abs() < 0.2, "{last:?}");
    }
}
