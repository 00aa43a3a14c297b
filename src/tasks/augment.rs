//! New rows near given ones.

use super::sampling::drawn;
use super::{Metric, Neighbours};
use crate::data::{Dataset, Rows};
use crate::rng::Rng;
use crate::{Autoencoder, Error, Result};

/// Neighbours of a row towards which it goes.
const NEIGHBOURS: usize = 5;
/// How far a row that is alone goes: this share of each unit's standard deviation over the given rows.
const ALONE: f64 = 0.1;

/// Codes of new rows near given ones: `n` of each row, one row after the other. Each lies at a uniform share of the way
/// to the code of one of the five nearest rows with the same label, or of the five nearest of all if there are no
/// labels (Chawla et al. 2002, in the space of codes as Dablain et al. 2021, "DeepSMOTE"). A row that is alone with its
/// label moves by a normal number of a tenth of each unit's standard deviation over the given rows. The decoder makes
/// rows of them: [`Autoencoder::decode`].
///
/// ```
/// use narrows::{Autoencoder, Device, data, tasks};
/// let digits = data::digits(0, 0..20);
/// let ae = Autoencoder::builder(784).layers([8]).build(&Device::cpu()?)?;
/// let codes = tasks::augment(&ae, &digits, 3, 0)?;
/// assert_eq!((codes.rows, codes.columns), (60, 8));
/// # Ok::<(), narrows::Error>(())
/// ```
///
/// # Errors
/// When there are fewer than two rows, `n` is 0, the rows do not fit the network, or the device fails.
pub fn augment(ae: &Autoencoder, rows: &Dataset, n: usize, seed: u64) -> Result<Rows> {
    if rows.len() < 2 {
        return Err(Error::data(rows.name(), format!("new rows near {}", rows.len()), "Pass at least two rows."));
    }
    if n == 0 {
        return Err(Error::argument("n", "it is 0", "Ask for at least one new row of each."));
    }
    let codes = ae.encode(rows)?;
    let units = codes.columns;
    let code = |row: usize| &codes.values[row * units..][..units];
    let deviations: Vec<f64> = (0..units).map(|unit| deviation(codes.values.iter().skip(unit).step_by(units))).collect();
    let towards = towards(ae, rows, &codes)?;
    let mut rng = Rng::at_step(seed, drawn::AUGMENT, 0);
    let mut values = Vec::with_capacity(rows.len() * n * units);
    for (row, others) in towards.iter().enumerate() {
        for _ in 0..n {
            match others.len() {
                0 => {
                    let alone = code(row).iter().zip(&deviations);
                    values.extend(alone.map(|(&z, deviation)| (f64::from(z) + ALONE * deviation * rng.normal()) as f32));
                }
                count => {
                    let other = code(others[rng.below(count as u32) as usize]);
                    let share = f64::from(rng.uniform());
                    values.extend(
                        code(row).iter().zip(other).map(|(&z, &other)| (f64::from(z) + share * (f64::from(other) - f64::from(z))) as f32),
                    );
                }
            }
        }
    }
    Ok(Rows::new(units, values))
}

/// For each row the nearest other rows with its label.
fn towards(ae: &Autoencoder, rows: &Dataset, codes: &Rows) -> Result<Vec<Vec<usize>>> {
    let labels = rows.labels().map_or_else(|| vec![0; rows.len()], <[u8]>::to_vec);
    let mut towards = vec![Vec::new(); rows.len()];
    for class in 0..=u8::MAX {
        let own: Vec<usize> = (0..rows.len()).filter(|&row| labels[row] == class).collect();
        if own.len() < 2 {
            continue;
        }
        let of_class = own.iter().flat_map(|&row| &codes.values[row * codes.columns..][..codes.columns]).copied().collect();
        let of_class = Rows::new(codes.columns, of_class);
        let found = Neighbours::of(ae.device(), &of_class, &of_class, NEIGHBOURS + 1, Metric::L2)?;
        for (at, others) in found.others() {
            towards[own[at]] = others.map(|(other, _)| own[other as usize]).collect();
        }
    }
    Ok(towards)
}

/// The standard deviation of some numbers.
pub(super) fn deviation<'a>(values: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(|&v| f64::from(v)).sum::<f64>() / count;
    (values.map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    /// A network whose code is its row.
    fn identity() -> Autoencoder {
        let ae = Autoencoder::builder(2).layers([2]).output(crate::nn::Output::Linear).build(&Device::cpu().unwrap()).unwrap();
        for half in ["encoder", "decoder"] {
            ae.params().write(&format!("{half}.0.weight"), &[1.0, 0.0, 0.0, 1.0]).unwrap();
            ae.params().write(&format!("{half}.0.bias"), &[0.0, 0.0]).unwrap();
        }
        ae
    }

    #[test]
    fn new_rows_lie_between_rows_of_one_label() {
        let ae = identity();
        // Two lines that cross nothing: x = 0 with label 3, y = 9 with label 7; and one row alone.
        let values = vec![0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 5.0, 9.0, 7.0, 9.0, 100.0, 50.0];
        let rows = Dataset::from_rows("rows", values, &[2]).unwrap().with_labels(vec![3, 3, 3, 7, 7, 1]).unwrap();
        let new = augment(&ae, &rows, 40, 1).unwrap();
        let of = |row: usize| new.values[row * 80..][..80].chunks(2);
        assert_eq!(new.rows, 240);
        for row in 0..3 {
            assert!(of(row).all(|p| p[0] == 0.0 && (0.0..=2.0).contains(&p[1])), "{row}");
        }
        assert!(of(3).all(|p| p[1] == 9.0 && (5.0..7.0).contains(&p[0])) && of(4).all(|p| p[1] == 9.0 && p[0] > 5.0 && p[0] <= 7.0));
        // The units' standard deviations are 36.8 and 17.4.
        assert!(of(5).any(|p| p[0] != 100.0) && of(5).all(|p| (p[0] - 100.0).abs() < 4.0 * 3.7 && (p[1] - 50.0).abs() < 4.0 * 1.75));
        assert_eq!(new, augment(&ae, &rows, 40, 1).unwrap());
        assert_ne!(new, augment(&ae, &rows, 40, 2).unwrap());
    }

    #[test]
    fn rows_without_labels_go_to_any_and_too_few_are_refused() {
        let ae = identity();
        let rows = Dataset::from_rows("rows", vec![0.0, 0.0, 4.0, 4.0], &[2]).unwrap();
        let new = augment(&ae, &rows, 9, 0).unwrap();
        assert!(new.values.chunks(2).all(|p| p[0] == p[1] && (0.0..=4.0).contains(&p[0])) && new.values[0] != new.values[2]);
        assert!(augment(&ae, &rows.head(1), 9, 0).unwrap_err().to_string().contains("new rows near 1"));
        assert!(augment(&ae, &rows, 0, 0).is_err());
    }
}
