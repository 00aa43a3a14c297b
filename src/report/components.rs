//! The comparison with principal components.

use crate::data::{Schema, Split};
use crate::tasks::Pca;
use crate::{Autoencoder, Error, Result};

/// What principal components leave of the rows: the error that an autoencoder has to beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// How many: as many as the code has numbers, or as the rows have columns.
    pub count: usize,
    /// The squared error, summed per row, mean over the training rows.
    pub train: f64,
    /// The same of the test rows.
    pub test: f64,
    /// Whether nothing is left but the rounding of the rows to f32.
    pub exact: bool,
}

impl Components {
    /// Fits them to the training rows, as the network sees them.
    ///
    /// # Errors
    /// When there is too much to compute for a page.
    pub fn of(ae: &Autoencoder, split: &Split) -> Result<Components> {
        let (rows, columns) = (split.train.len(), ae.inputs());
        if Pca::seconds(rows, columns) > Pca::MOST_SECONDS {
            return Err(too_long(split));
        }
        let count = ae.code_width().min(columns);
        let pca = Pca::fit(&ae.scaled(&split.train)?)?;
        let test = pca.errors(&ae.scaled(&split.test)?, &[count])?[0];
        // On the rows that it was fitted to, the error is the variance of the other components.
        let train = pca.variances().iter().skip(count).sum::<f64>().max(0.0);
        // Each number of a row is rounded at most twice, as it is read and as it is scaled, each time by at most 2^-24
        // of it. The squares of both roundings together sum to at most 2^-46 of the squares of the row.
        let squares = pca.mean().iter().map(|m| m * m).sum::<f64>() + pca.variances().iter().sum::<f64>();
        Ok(Components { count, train, test, exact: test <= squares * 2f64.powi(-46) })
    }
}

/// Why there are no principal components of such rows, and the way to them.
fn too_long(split: &Split) -> Error {
    let (rows, columns) = (split.train.len(), split.train.columns());
    let problem = format!("{rows} rows of {columns} columns would take longer to fit than {} s", Pca::MOST_SECONDS);
    let remedy = match &split.train {
        rows if rows.schema().is_some_and(Schema::is_of_texts) => "Use fewer words, such as --words 1000, to compare with them.",
        rows if rows.image_dims().is_some() => "Use smaller images (--image-size) to compare with them.",
        _ => "Use fewer columns to compare with them.",
    };
    Error::argument("principal components", problem, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::data::{Dataset, Scaler};

    #[test]
    fn what_would_take_too_long_says_what_to_make_smaller() {
        for (rows, columns, is_quick) in [(60_000, 784, true), (1_000, 4_608, true), (5_000, 4_096, false), (usize::MAX, 784, false)] {
            assert_eq!(Pca::seconds(rows, columns) <= Pca::MOST_SECONDS, is_quick, "{rows} of {columns}");
        }
        let of = |dims: &[usize]| Dataset::from_bytes("rows", vec![0; 2700 * 2704], dims).unwrap();
        let said = |rows: Dataset| too_long(&Split::new(rows.clone(), rows)).to_string();
        assert!(said(of(&[2704])).contains("Use fewer columns to compare"));
        assert!(
            said(of(&[1, 52, 52]))
                .contains("2700 rows of 2704 columns would take longer to fit than 20 s. Use smaller images (--image-size)")
        );
    }

    #[test]
    fn rows_in_a_plane_are_exact_for_two_components_and_not_for_one() {
        let plane = |from: usize, to: usize| {
            let value = |at: usize| {
                let (i, j) = (at / 6, at % 6);
                let (u, v) = ((i * 37 % 101) as f32 / 101.0, (i * 53 % 97) as f32 / 97.0);
                u * (j * j % 5) as f32 + v * (1.0 + j as f32)
            };
            Dataset::from_rows("plane", (from * 6..to * 6).map(value).collect(), &[6]).unwrap()
        };
        let split = Split::new(plane(0, 300), plane(300, 360));
        let device = Device::cpu().unwrap();
        for (code, exact) in [(1, false), (2, true), (6, true)] {
            let ae = Autoencoder::builder(6).hidden([]).code(code).build(&device).unwrap();
            let scaled = ae.clone().with_scaler(Scaler::min_max(&split.train).unwrap()).unwrap();
            for ae in [ae, scaled] {
                let found = Components::of(&ae, &split).unwrap();
                assert_eq!((found.count, found.exact), (code, exact), "{found:?}");
            }
        }
    }
}
