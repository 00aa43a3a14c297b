//! Codes as points of a plane: a map of the rows.

use super::{Pca, Pullback};
use crate::data::{Dataset, Rows};
use crate::spelling::spelled;
#[cfg(feature = "tsne")]
use crate::tasks::{Metric, Neighbours};
use crate::{Autoencoder, Device, Error, Result};

/// How codes become points of a plane.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// The code itself: two units are x and y; of three, the view from 25 degrees above, turned by 35 degrees; one unit
    /// is x.
    Code,
    /// The first two principal components of the codes.
    Pca,
    /// t-SNE of the codes (van der Maaten and Hinton 2008): near ones stay near, and distances between groups mean
    /// little. Of a network's codes ([`Plane::of_codes`]) by how far apart the decoder sees them: [`Pullback`]. Needs
    /// the feature `tsne`.
    Tsne,
}

spelled!(Projection, "by": Code "code", Pca "pca", Tsne "tsne");

/// The angles from which codes of three units are seen, in degrees.
const TURN: f64 = 35.0;
const ABOVE: f64 = 25.0;
/// The perplexity of t-SNE, or less for few rows; and the standard deviation of x at its begin. Both are
/// scikit-learn's.
#[cfg(feature = "tsne")]
const PERPLEXITY: usize = 30;
#[cfg(feature = "tsne")]
const BEGIN: f64 = 1e-4;
/// The learning rate for each row, twice scikit-learn's: there the gradient has a factor of 4 that bhtsne leaves out.
/// bhtsne's own rate is an eighth of this for many rows, and its maps were not at rest after its 1,000 steps; for few
/// rows it is 50, which throws seven of them so far apart that 10 s pass, since the time grows with the area.
#[cfg(feature = "tsne")]
const RATE: f32 = 1.0 / 6.0;
#[cfg(feature = "tsne")]
const LEAST_RATE: f32 = 5.0;
/// The fewest rows that t-SNE places.
#[cfg(feature = "tsne")]
const LEAST_ROWS: usize = 7;

/// A point for each row, and what its coordinates are.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// How the codes were projected.
    pub by: Projection,
    /// x and y of each row.
    pub points: Rows,
    /// What stands at the axes.
    pub axes: [String; 2],
}

impl Projection {
    /// What shows codes of this width best: themselves up to three units, else t-SNE, or principal components without
    /// the feature `tsne`.
    pub fn usual(units: usize) -> Projection {
        match units {
            0..=3 => Projection::Code,
            _ if cfg!(feature = "tsne") => Projection::Tsne,
            _ => Projection::Pca,
        }
    }
}

impl Plane {
    /// Places the codes of a network: for t-SNE as its decoder sees them, which shows how alike the rows are.
    ///
    /// # Errors
    /// As [`Plane::of`], or when the codes are not as wide as the network's.
    pub fn of_codes(ae: &Autoencoder, codes: &Rows, by: Projection) -> Result<Plane> {
        if by != Projection::Tsne {
            return Plane::of(ae.device(), codes, by);
        }
        check(codes)?;
        Plane::of(ae.device(), &Pullback::of(ae, codes)?.apply(codes)?, by)
    }

    /// Places some codes. The result has no chance in it: t-SNE begins with the principal components.
    ///
    /// ```
    /// use narrows::{Device, data::Rows, tasks::{Plane, Projection}};
    /// let codes = Rows::new(2, vec![0.0, 1.0, 2.0, 3.0]);
    /// let plane = Plane::of(&Device::cpu()?, &codes, Projection::Code)?;
    /// assert_eq!(plane.points.values, [0.0, 1.0, 2.0, 3.0]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are no codes or a number is not finite, codes of more than three units are to be shown as they are,
    /// t-SNE has fewer than 7 rows or is not built in, or the device fails.
    pub fn of(device: &Device, codes: &Rows, by: Projection) -> Result<Plane> {
        check(codes)?;
        let (points, axes) = match by {
            Projection::Code => as_they_are(codes)?,
            Projection::Pca => {
                let (points, shares) = components(codes)?;
                let name = |at: usize| format!("component {} of the codes: {:.0} % of their variance", at + 1, 100.0 * shares[at]);
                (points, [name(0), name(1)])
            }
            Projection::Tsne => (tsne(device, codes)?, ["t-SNE, x".into(), "t-SNE, y".into()]),
        };
        Ok(Plane { by, points: Rows::new(2, points), axes })
    }
}

fn check(codes: &Rows) -> Result<()> {
    if codes.rows == 0 {
        return Err(Error::argument("map", "there are no codes", "Pass at least one."));
    }
    match codes.values.iter().position(|x| !x.is_finite()) {
        Some(at) => {
            let problem = format!("the code of row {} has a {}", at / codes.columns, codes.values[at]);
            Err(Error::argument("map", problem, "Pass finite codes."))
        }
        None => Ok(()),
    }
}

fn as_they_are(codes: &Rows) -> Result<(Vec<f32>, [String; 2])> {
    let unit = |at: usize| ["first", "second"][at].to_string() + " number of the code";
    match codes.columns {
        1 => Ok((codes.values.iter().flat_map(|&z| [z, 0.0]).collect(), ["the code".into(), String::new()])),
        2 => Ok((codes.values.clone(), [unit(0), unit(1)])),
        3 => {
            let [(turn_sin, turn_cos), (above_sin, above_cos)] =
                [TURN, ABOVE].map(|degrees| (libm::sin(degrees.to_radians()), libm::cos(degrees.to_radians())));
            let seen = |z: &[f32]| {
                let [a, b, c] = [z[0], z[1], z[2]].map(f64::from);
                let (across, away) = (a * turn_cos - b * turn_sin, a * turn_sin + b * turn_cos);
                [across as f32, (c * above_cos + away * above_sin) as f32]
            };
            let names = [format!("the three numbers of the code, turned by {TURN} degrees"), format!("seen from {ABOVE} degrees above")];
            Ok((codes.values.chunks(3).flat_map(seen).collect(), names))
        }
        units => {
            let problem = format!("codes of {units} numbers are no points of a plane");
            Err(Error::argument("by", problem, "Use pca or tsne."))
        }
    }
}

/// The first two principal components, and the shares of the variance along them.
fn components(codes: &Rows) -> Result<(Vec<f32>, [f64; 2])> {
    let data = Dataset::from_rows("codes", codes.values.clone(), &[codes.columns])?;
    let pca = Pca::fit(&data)?;
    let k = codes.columns.min(2);
    let flat = pca.encode(&data, k)?;
    let whole = pca.variances().iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let share = |at: usize| pca.variances().get(at).map_or(0.0, |variance| variance / whole);
    let points = flat.values.chunks(k).flat_map(|p| [p[0], p.get(1).copied().unwrap_or(0.0)]).collect();
    Ok((points, [share(0), share(1)]))
}

#[cfg(not(feature = "tsne"))]
fn tsne(_: &Device, _: &Rows) -> Result<Vec<f32>> {
    Err(Error::argument("by", "t-SNE is not built in", "Build with the feature tsne, or use pca."))
}

/// t-SNE by interpolation (Linderman et al. 2019), from the exact neighbours of each code.
#[cfg(feature = "tsne")]
fn tsne(device: &Device, codes: &Rows) -> Result<Vec<f32>> {
    let rows = codes.rows;
    if rows < LEAST_ROWS {
        return Err(Error::argument("by", format!("t-SNE of {rows} rows"), format!("Use at least {LEAST_ROWS} rows, or pca.")));
    }
    let perplexity = PERPLEXITY.min((rows - 1) / 3);
    let most = 3 * perplexity;
    let found = Neighbours::of(device, codes, codes, most + 1, Metric::L2)?;
    // A row is no neighbour of itself.
    let near: Vec<Vec<bhtsne::Neighbor<f32>>> = found
        .others()
        .map(|(_, others)| others.map(|(index, distance)| bhtsne::Neighbor { index: index as usize, distance: distance as f32 }).collect())
        .collect();
    let (begin, _) = components(codes)?;
    let variance = begin.chunks(2).map(|p| f64::from(p[0]).powi(2)).sum::<f64>() / rows as f64;
    // Where all codes are equal, nothing moves.
    if variance == 0.0 {
        return Ok(begin);
    }
    let begin: Vec<f32> = begin.iter().map(|&v| (f64::from(v) * BEGIN / variance.sqrt()) as f32).collect();
    let data: Vec<()> = vec![(); rows];
    let rate = (RATE * rows as f32).max(LEAST_RATE);
    // On one thread: its sums over several differ in their last bits from run to run, and a map would with them.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = alone.map_err(|e| Error::argument("by", format!("no thread can be started ({e})"), "Use pca."))?;
    let points = alone.install(|| {
        let mut map = bhtsne::tSNE::<f32, (), 2>::new(&data);
        map.perplexity(perplexity as f32).learning_rate(rate).initial_embedding(begin).fit_sne_with_neighbors(&near);
        map.embedding()
    });
    match points.iter().all(|v| v.is_finite()) {
        true => Ok(points),
        false => Err(Error::argument("by", "t-SNE of these codes gives no numbers", "Use pca.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Output;
    use crate::rng::Rng;

    /// Codes in three groups that are far apart.
    fn groups(rows: usize, columns: usize) -> Rows {
        let mut rng = Rng::new(7, 0);
        let values = (0..rows * columns).map(|i| if i % columns == i / columns % 3 { 20.0 } else { 0.0 } + rng.uniform()).collect();
        Rows::new(columns, values)
    }

    #[test]
    fn codes_of_up_to_three_units_are_seen_as_they_are() {
        let device = Device::cpu().unwrap();
        let plane = |columns: usize, values: &[f32]| Plane::of(&device, &Rows::new(columns, values.to_vec()), Projection::Code);
        assert_eq!(plane(1, &[4.0, -2.0]).unwrap().points.values, [4.0, 0.0, -2.0, 0.0]);
        assert_eq!(plane(2, &[4.0, -2.0]).unwrap().points.values, [4.0, -2.0]);
        // A unit upright is seen upright, and shorter; lengths across do not change.
        let seen = plane(3, &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).unwrap().points.values;
        assert!(seen[0] == 0.0 && (f64::from(seen[1]) - libm::cos(25f64.to_radians())).abs() < 1e-6, "{seen:?}");
        let seen = plane(3, &[3.0, -2.0, 0.0]).unwrap().points.values;
        let (turn, above) = (35f64.to_radians(), 25f64.to_radians());
        assert!((f64::from(seen[0]) - (3.0 * libm::cos(turn) + 2.0 * libm::sin(turn))).abs() < 1e-5, "{seen:?}");
        assert!((f64::from(seen[1]) - (3.0 * libm::sin(turn) - 2.0 * libm::cos(turn)) * libm::sin(above)).abs() < 1e-5, "{seen:?}");
        let refused = plane(4, &[1.0; 8]).unwrap_err().to_string();
        assert!(refused.contains("codes of 4 numbers are no points of a plane"), "{refused}");
        assert!(plane(2, &[1.0, f32::NAN]).is_err() && plane(2, &[]).is_err());
        assert_eq!([1, 2, 3].map(Projection::usual), [Projection::Code; 3]);
    }

    #[test]
    fn components_are_those_of_the_codes() {
        let device = Device::cpu().unwrap();
        let codes = Rows::new(3, vec![0.0, 0.0, 0.0, 0.0, 3.0, 4.0]);
        let plane = Plane::of(&device, &codes, Projection::Pca).unwrap();
        assert!((plane.points.values[0] - -2.5).abs() < 1e-6 && (plane.points.values[2] - 2.5).abs() < 1e-6, "{plane:?}");
        assert!(plane.axes[0].contains("100 %") && plane.axes[1].contains(" 0 %"), "{plane:?}");
        assert_eq!(Plane::of(&device, &Rows::new(1, vec![1.0, 3.0]), Projection::Pca).unwrap().points.values, [-1.0, 0.0, 1.0, 0.0]);
    }

    #[cfg(feature = "tsne")]
    #[test]
    fn groups_stay_apart_in_tsne_and_two_runs_are_one() {
        let (device, codes) = (Device::cpu().unwrap(), groups(120, 5));
        let plane = Plane::of(&device, &codes, Projection::Tsne).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = pool.install(|| Plane::of(&device, &codes, Projection::Tsne)).unwrap();
        assert!(plane == again, "another map of the same codes");
        let found = Neighbours::of(&device, &plane.points, &plane.points, 11, Metric::L2).unwrap();
        for (row, mut others) in found.others() {
            assert!(others.all(|(other, _)| other as usize % 3 == row % 3), "{row}");
        }
        for rows in [7, 8, 50] {
            assert_eq!(Plane::of(&device, &groups(rows, 4), Projection::Tsne).unwrap().points.rows, rows);
        }
        assert!(Plane::of(&device, &groups(6, 4), Projection::Tsne).unwrap_err().to_string().contains("at least 7"));
        // A unit that the decoder does not use is larger than all others: the decoder sees the groups.
        let ae = Autoencoder::builder(6).layers([6]).output(Output::Linear).build(&device).unwrap();
        let weights: Vec<f32> = (0..36).map(|i| f32::from(u8::from(i % 7 == 0 && i < 35))).collect();
        ae.params().write("decoder.0.weight", &weights).unwrap();
        let (groups, mut rng) = (groups(120, 5), Rng::new(9, 0));
        let noisy = groups.values.chunks(5).flat_map(|row| [row, &[500.0 * rng.uniform()]].concat()).collect();
        let codes = Rows::new(6, noisy);
        let together = |plane: &Plane| {
            let found = Neighbours::of(&device, &plane.points, &plane.points, 6, Metric::L2).unwrap();
            found.others().flat_map(|(row, others)| others.map(move |(other, _)| other as usize % 3 == row % 3)).filter(|is| *is).count()
        };
        let seen = Plane::of_codes(&ae, &codes, Projection::Tsne).unwrap();
        let mut wrong = codes.clone();
        wrong.values[6 * 7 + 2] = f32::NAN;
        assert!(Plane::of_codes(&ae, &wrong, Projection::Tsne).unwrap_err().to_string().contains("the code of row 7 has a NaN"));
        assert_eq!(together(&seen), 600);
        assert!(together(&Plane::of(&device, &codes, Projection::Tsne).unwrap()) < 400);
        // Equal codes have no order, and are no reason to fail.
        let equal = Plane::of(&device, &Rows::new(4, vec![1.0; 200]), Projection::Tsne).unwrap();
        assert!(equal.points.values.iter().all(|v| v.is_finite()));
    }
}
