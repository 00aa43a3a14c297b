//! The quality of reconstructions, in each of the measures that the literature uses.

use crate::data::Dataset;
use crate::nn::{Way, compare, mean_square};
use crate::{Autoencoder, Result};
use std::fmt;

/// The error of an autoencoder on the rows of one data set. `Display` gives it as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// The name of the data.
    pub data: String,
    /// Whether a program made the data.
    pub synthetic: bool,
    /// The number of rows.
    pub rows: usize,
    /// The numbers in a row.
    pub columns: usize,
    /// The mean over all elements of (x - y)^2: "MSE" in PyTorch.
    pub mse: f64,
    /// The sum over a row's elements of (x - y)^2, mean over the rows: "squared error" in the papers of Hinton and his
    /// successors. It is `mse` times `columns`.
    pub sum: f64,
    /// Measures that exist only for values in [0, 1], such as pixels.
    pub unit: Option<UnitMetrics>,
    /// A line per class, if the rows have labels.
    pub classes: Vec<ClassMetrics>,
    /// The error of each row, the mean over its elements of (x - y)^2.
    pub row_errors: Vec<f64>,
    /// How many values lie outside of the bounds of the rows of training, where the autoencoder knows them.
    pub outside: Option<usize>,
}

/// Measures that exist only if rows and reconstructions lie in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitMetrics {
    /// Peak signal-to-noise ratio in dB, 10 log10(1 / MSE), of each row, and then the mean over the rows. Infinite if a
    /// row is reconstructed exactly.
    pub psnr_of_rows: f64,
    /// Peak signal-to-noise ratio in dB of the mean MSE. It is the lower of the two.
    pub psnr_of_mean: f64,
    /// Binary cross-entropy: the sum over a row's elements of -x ln y - (1 - x) ln(1 - y), mean over the rows. As in
    /// PyTorch, no logarithm is below -100.
    pub bce: f64,
    /// The lower bound of the cross-entropy: the entropy of the data, which is 0 only if all values are 0 or 1.
    pub bce_floor: f64,
}

/// The error on the rows of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMetrics {
    /// The label.
    pub class: u8,
    /// Its name if the labels have names, else its number.
    pub name: String,
    /// How many rows have it.
    pub rows: usize,
    /// The mean over all their elements of (x - y)^2.
    pub mse: f64,
}

/// The error on the rows of training and on those that training never saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// On all rows of training, with the current weights.
    pub train: Metrics,
    /// On the others.
    pub test: Metrics,
}

impl Metrics {
    /// The metrics of an autoencoder's reconstructions of all rows.
    pub(crate) fn of(ae: &Autoencoder, data: &Dataset) -> Result<Metrics> {
        let rows = compare(ae, data, Way::Compare, |x, y| {
            let unit = x.iter().chain(y).all(|v| (0.0..=1.0).contains(v));
            (mean_square(x, y), unit.then(|| (cross_entropy(x, y), cross_entropy(x, x))))
        })?;
        let row_errors: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let entropies: Option<Vec<(f64, f64)>> = rows.iter().map(|row| row.1).collect();
        let n = data.len() as f64;
        let mse = row_errors.iter().sum::<f64>() / n;
        let unit = entropies.map(|entropies| UnitMetrics {
            psnr_of_rows: row_errors.iter().map(|&e| decibel(e)).sum::<f64>() / n,
            psnr_of_mean: decibel(mse),
            bce: entropies.iter().map(|e| e.0).sum::<f64>() / n,
            bce_floor: entropies.iter().map(|e| e.1).sum::<f64>() / n,
        });
        Ok(Metrics {
            data: data.name().to_string(),
            synthetic: data.is_synthetic(),
            rows: data.len(),
            columns: ae.inputs(),
            mse,
            sum: mse * ae.inputs() as f64,
            unit,
            classes: classes(data, &row_errors),
            row_errors,
            outside: ae.bounds().map(|bounds| bounds.outside(data.values())),
        })
    }
}

impl Evaluation {
    /// The test error over the training error, less 1: 0.05 if the error on rows that training never saw is 5 % larger.
    pub fn gap(&self) -> f64 {
        self.test.mse / self.train.mse - 1.0
    }
}

fn classes(data: &Dataset, row_errors: &[f64]) -> Vec<ClassMetrics> {
    let (mut rows, mut sums) = ([0; 256], [0.0; 256]);
    for (&label, error) in data.labels().unwrap_or_default().iter().zip(row_errors) {
        rows[usize::from(label)] += 1;
        sums[usize::from(label)] += error;
    }
    let class = |class: u8| (class, rows[usize::from(class)], sums[usize::from(class)]);
    let found = (0..=u8::MAX).map(class).filter(|&(_, rows, _)| rows > 0);
    found.map(|(class, rows, sum)| ClassMetrics { class, name: data.class_name(class), rows, mse: sum / rows as f64 }).collect()
}

/// -x ln y - (1 - x) ln(1 - y), summed; 0 ln 0 is 0.
fn cross_entropy(x: &[f32], y: &[f32]) -> f64 {
    let part = |share: f64, of: f64| if share == 0.0 { 0.0 } else { -share * libm::log(of).max(-100.0) };
    let element = |(&x, &y): (&f32, &f32)| part(f64::from(x), f64::from(y)) + part(1.0 - f64::from(x), 1.0 - f64::from(y));
    x.iter().zip(y).map(element).sum()
}

fn decibel(mse: f64) -> f64 {
    -10.0 * libm::log10(mse)
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let synthetic = if self.synthetic { ", synthetic" } else { "" };
        writeln!(f, "{}{synthetic}: {} rows of {}", self.data, self.rows, self.columns)?;
        writeln!(f, "  MSE per element               {:.6}", self.mse)?;
        write!(f, "  squared error, sum per row    {:.4}", self.sum)?;
        if let Some(u) = &self.unit {
            writeln!(f, "\n  PSNR, mean over rows          {:.3} dB", u.psnr_of_rows)?;
            writeln!(f, "  PSNR of the mean MSE          {:.3} dB", u.psnr_of_mean)?;
            writeln!(f, "  cross-entropy, sum per row    {:.3}", u.bce)?;
            write!(f, "  above its floor of {:<10.3} {:.3}", u.bce_floor, u.bce - u.bce_floor)?;
        }
        let width = self.classes.iter().map(|c| c.name.chars().count()).fold(5, usize::max);
        if !self.classes.is_empty() {
            write!(f, "\n  {:>width$}     rows   MSE per element", "class")?;
        }
        for c in &self.classes {
            write!(f, "\n  {:>width$} {:>8}   {:.6}", c.name, c.rows, c.mse)?;
        }
        Ok(())
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n{}\ntest over training: {:+.1} %", self.train, self.test, 100.0 * self.gap())
    }
}

#[cfg(feature = "files")]
mod json {
    use super::{Evaluation, Metrics};
    use serde_json::{Value, json};

    impl Metrics {
        /// The same as JSON, without the errors of the single rows. A number that is not finite is `null`.
        pub fn json(&self) -> String {
            self.value().to_string()
        }

        fn value(&self) -> Value {
            let mut value = json!({
                "data": self.data, "synthetic": self.synthetic, "rows": self.rows, "columns": self.columns,
                "mse": self.mse, "sum": self.sum, "outside": self.outside,
            });
            if let Some(u) = &self.unit {
                value["psnr_of_rows"] = json!(u.psnr_of_rows);
                value["psnr_of_mean"] = json!(u.psnr_of_mean);
                value["bce"] = json!(u.bce);
                value["bce_floor"] = json!(u.bce_floor);
                value["bce_above_floor"] = json!(u.bce - u.bce_floor);
            }
            if !self.classes.is_empty() {
                value["classes"] =
                    self.classes.iter().map(|c| json!({ "class": c.class, "name": c.name, "rows": c.rows, "mse": c.mse })).collect();
            }
            value
        }
    }

    impl Evaluation {
        /// The same as JSON: `{"train": .., "test": .., "gap": ..}`.
        pub fn json(&self) -> String {
            json!({ "train": self.train.value(), "test": self.test.value(), "gap": self.gap() }).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::nn::Output;

    /// A network that answers every row with the same values, whatever comes in.
    fn constant(answer: &[f32], output: Output) -> Autoencoder {
        let ae = Autoencoder::builder(answer.len()).hidden([]).code(1).output(output).build(&Device::cpu().unwrap()).unwrap();
        ae.params().write("decoder.0.weight", &vec![0.0; answer.len()]).unwrap();
        ae.params().write("decoder.0.bias", answer).unwrap();
        ae
    }

    #[test]
    fn every_number_is_what_a_calculation_by_hand_gives() {
        // Two rows of two, answered with (0.5, 0.75).
        let rows = Dataset::from_rows("hand", vec![0.0, 1.0, 0.5, 0.25], &[2]).unwrap().with_labels(vec![7, 3]).unwrap();
        let m = constant(&[0.5, 0.75], Output::Linear).measure(&rows).unwrap();
        let errors = [(0.25 + 0.0625) / 2.0, 0.25 / 2.0];
        let mse = (errors[0] + errors[1]) / 2.0;
        assert_eq!(m.row_errors, errors);
        assert_eq!((m.rows, m.columns, m.mse, m.sum), (2, 2, mse, 2.0 * mse));
        let unit = m.unit.unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} for {b}");
        near(unit.psnr_of_rows, -5.0 * (errors[0].log10() + errors[1].log10()));
        near(unit.psnr_of_mean, -10.0 * libm::log10(mse));
        let [half, quarter, three] = [0.5f64, 0.25, 0.75].map(f64::ln);
        near(unit.bce, (-half - three - half - 0.25 * three - 0.75 * quarter) / 2.0);
        near(unit.bce_floor, (-half - 0.25 * quarter - 0.75 * three) / 2.0);
        let class = |class: u8, mse| ClassMetrics { class, name: class.to_string(), rows: 1, mse };
        assert_eq!(m.classes, [class(3, errors[1]), class(7, errors[0])]);
    }

    #[test]
    fn what_needs_values_from_0_to_1_is_left_out_elsewhere() {
        let inside = Dataset::from_rows("inside", vec![0.0, 1.0], &[1]).unwrap();
        let outside = Dataset::from_rows("outside", vec![0.0, 1.5], &[1]).unwrap();
        assert!(constant(&[0.5], Output::Linear).measure(&inside).unwrap().unit.is_some());
        assert!(constant(&[0.5], Output::Linear).measure(&outside).unwrap().unit.is_none());
        assert!(constant(&[-0.5], Output::Linear).measure(&inside).unwrap().unit.is_none());
        // A saturated answer costs 100 and not infinity.
        let unit = constant(&[1.0], Output::Linear).measure(&inside).unwrap().unit.unwrap();
        assert_eq!((unit.bce, unit.bce_floor, unit.psnr_of_rows), (50.0, 0.0, f64::INFINITY));
        let error = constant(&[0.5], Output::Linear).measure(&inside.head(0)).unwrap_err();
        assert!(error.to_string().contains("a mean over no rows"), "{error}");
    }

    #[test]
    fn text_and_json_say_the_same_numbers() {
        let data = Dataset::from_bytes("grey", vec![0, 51, 102, 255], &[2]).unwrap().with_labels(vec![1, 1]).unwrap().synthetic();
        let ae = constant(&[0.0, 1.0], Output::Sigmoid);
        let both = Evaluation { train: ae.measure(&data.head(1)).unwrap(), test: ae.measure(&data).unwrap() };
        let text = both.to_string();
        assert!(text.contains("grey, synthetic: 2 rows of 2") && text.contains(&format!("{:.6}", both.test.mse)), "{text}");
        #[cfg(feature = "files")]
        {
            let json: serde_json::Value = serde_json::from_str(&both.json()).unwrap();
            assert_eq!(json["test"]["mse"].as_f64(), Some(both.test.mse));
            assert_eq!(json["gap"].as_f64(), Some(both.gap()));
            assert_eq!(json["test"]["classes"][0]["rows"], 2);
            assert_eq!(json["train"]["synthetic"], true);
        }
    }
}
