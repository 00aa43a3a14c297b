//! What a linear classifier reads in codes, beside other features of the same rows.

#[cfg(feature = "pca")]
use super::Pca;
use super::probe::{Probe, ProbeConfig, labels};
use super::{Metric, Neighbours, Spreading};
use crate::data::{Dataset, Rows};
use crate::rng::{permutation, purpose};
use crate::{Autoencoder, Device, Error, Result};
use std::fmt;

/// The most operations that are spent on the neighbours of the rows themselves: those of MNIST's images take three
/// quarters of them.
const MOST_WORK: f64 = (1u64 << 43) as f64;

/// How features are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadoutConfig {
    /// Training rows whose labels are known in each draw, as many of each class as there can be. Default all.
    pub labelled: Option<usize>,
    /// Draws of these rows, at least 1. Default 1.
    pub draws: usize,
    /// Whether the encoder is trained with the classifier as well. Default not.
    pub fine_tune: bool,
    /// Whether the labels are spread over the nearest training rows as well. Default not.
    pub spread: bool,
    /// How the classifiers are trained; a draw's seed is this one plus its number.
    pub probe: ProbeConfig,
}

impl Default for ReadoutConfig {
    fn default() -> ReadoutConfig {
        ReadoutConfig { labelled: None, draws: 1, fine_tune: false, spread: false, probe: ProbeConfig::default() }
    }
}

/// One kind of features, and the error of what is read in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// What they are: `codes`, `fine-tuned codes`, `principal components`, `rows`.
    pub name: &'static str,
    /// Numbers of a row.
    pub columns: usize,
    /// The share of test rows that is put into another class, for each draw.
    pub errors: Vec<f64>,
}

impl Features {
    /// The mean over the draws.
    pub fn mean(&self) -> f64 {
        self.errors.iter().sum::<f64>() / self.errors.len() as f64
    }

    /// The standard deviation over the draws, of the sample; 0 for a single one.
    pub fn deviation(&self) -> f64 {
        let squares = self.errors.iter().map(|error| (error - self.mean()).powi(2)).sum::<f64>();
        (squares / self.errors.len().saturating_sub(1).max(1) as f64).sqrt()
    }
}

/// Linear classifiers on the codes of a network, on as many principal components, and on the rows themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Readout {
    /// Labelled rows of each draw.
    pub labelled: usize,
    /// Codes first; fine-tuned ones, if they were asked for, second. Principal components are left out where they would
    /// take longer than [`Pca::MOST_SECONDS`](super::Pca::MOST_SECONDS).
    pub features: Vec<Features>,
    /// If it was asked for, the same features in place of whose classifier the labels are spread over the training rows
    /// ([`Spreading`], by the angle between features), of which the nearest vote for a test row. The rows themselves
    /// are left out where their neighbours would take more than 2^43 operations.
    pub spread: Vec<Features>,
    /// How many test rows of each class (first index) are put into each class, by the last classifier of the codes, or
    /// of the fine-tuned ones; summed over the draws.
    pub confusion: Vec<Vec<usize>>,
}

impl Readout {
    /// Trains classifiers on the labels of `train` and counts their errors on `test`.
    ///
    /// # Errors
    /// When the rows have no labels or do not fit the network, more labelled rows are asked for than there are, there
    /// are no draws, or the device fails.
    pub fn of(ae: &Autoencoder, train: &Dataset, test: &Dataset, config: ReadoutConfig) -> Result<Readout> {
        let [of_train, of_test] = [labels(train)?, labels(test)?];
        let labelled = config.labelled.unwrap_or(train.len());
        if labelled == 0 || labelled > train.len() {
            let problem = format!("{labelled} of {} training rows", train.len());
            return Err(Error::argument("labelled", problem, "Use 1 up to all."));
        }
        if config.draws == 0 {
            return Err(Error::argument("draws", "it is 0", "Use at least 1."));
        }
        let coded = |rows: &Dataset| {
            let codes = ae.encode(rows)?;
            Dataset::from_rows(rows.name(), codes.values, &[codes.columns])?.with_labels(labels(rows)?.to_vec())
        };
        let mut kinds = vec![("codes", [coded(train)?, coded(test)?])];
        #[cfg(feature = "pca")]
        if Pca::seconds(train.len(), train.columns()) <= Pca::MOST_SECONDS {
            kinds.push(("principal components", components(ae, train, test)?));
        }
        kinds.push(("rows", [ae.scaled(train)?, ae.scaled(test)?]));
        let columns = |rows: &Dataset| rows.columns();
        let mut features: Vec<Features> =
            kinds.iter().map(|(name, [rows, _])| Features { name, columns: columns(rows), errors: Vec::new() }).collect();
        if config.fine_tune {
            features.insert(1, Features { name: "fine-tuned codes", columns: ae.code_width(), errors: Vec::new() });
        }
        let work = 2.0 * train.len() as f64 * (train.len() + test.len()) as f64;
        let graphs = match config.spread {
            true => kinds
                .iter()
                .filter(|(name, [rows, _])| *name != "rows" || work * rows.columns() as f64 <= MOST_WORK)
                .map(|(name, [from, to])| Graph::of(ae.device(), name, from, to))
                .collect::<Result<Vec<_>>>()?,
            false => Vec::new(),
        };
        let mut spread: Vec<Features> =
            graphs.iter().map(|graph| Features { name: graph.name, columns: graph.columns, errors: Vec::new() }).collect();
        let classes = of_train.iter().chain(of_test).max().map_or(0, |&last| usize::from(last) + 1);
        let mut confusion = vec![vec![0; classes]; classes];
        for draw in 0..config.draws {
            let probe = ProbeConfig { seed: config.probe.seed.wrapping_add(draw as u64), ..config.probe };
            let known = drawn(of_train, labelled, probe.seed);
            for (name, [from, to]) in &kinds {
                let predicted = Probe::fit(ae.device(), &from.selected(&known), probe)?.predict(to)?;
                note(&mut features, name, &predicted, of_test);
                if *name == "codes" && !config.fine_tune {
                    count(&mut confusion, &predicted, of_test);
                }
            }
            let mut some = vec![None; train.len()];
            known.iter().for_each(|&row| some[row] = Some(of_train[row]));
            for graph in &graphs {
                note(&mut spread, graph.name, &graph.rows.spread(&some)?.vote(&graph.near)?, of_test);
            }
            if config.fine_tune {
                let (tuned, probe) = Probe::fine_tune(ae, &train.selected(&known), probe)?;
                let codes = tuned.encode(test)?;
                let predicted = probe.predict(&Dataset::from_rows(test.name(), codes.values, &[codes.columns])?)?;
                note(&mut features, "fine-tuned codes", &predicted, of_test);
                count(&mut confusion, &predicted, of_test);
            }
        }
        Ok(Readout { labelled, features, spread, confusion })
    }
}

/// The training rows by some features, and the nearest of them for each test row.
struct Graph {
    name: &'static str,
    columns: usize,
    rows: Spreading,
    near: Neighbours,
}

impl Graph {
    fn of(device: &Device, name: &'static str, from: &Dataset, to: &Dataset) -> Result<Graph> {
        let all = |rows: &Dataset| Rows::new(rows.columns(), rows.rows_f32(0..rows.len()));
        let rows = Spreading::of(device, &all(from), Metric::Cosine)?;
        let near = rows.neighbours(&all(to))?;
        Ok(Graph { name, columns: from.columns(), rows, near })
    }
}

#[cfg(feature = "pca")]
fn components(ae: &Autoencoder, train: &Dataset, test: &Dataset) -> Result<[Dataset; 2]> {
    let [rows, others] = [ae.scaled(train)?, ae.scaled(test)?];
    let (pca, k) = (Pca::fit(&rows)?, ae.code_width().min(rows.columns()));
    let project = |rows: &Dataset| {
        let all = pca.encode(rows, k)?;
        Dataset::from_rows(rows.name(), all.values, &[k])?.with_labels(labels(rows)?.to_vec())
    };
    Ok([project(&rows)?, project(&others)?])
}

/// So many rows, the same number of each class as far as there are enough of it.
fn drawn(labels: &[u8], rows: usize, seed: u64) -> Vec<usize> {
    let order = permutation(labels.len() as u32, seed, purpose::SHUFFLE, u32::MAX);
    let classes = labels.iter().collect::<std::collections::BTreeSet<_>>().len().max(1);
    let mut left = [rows / classes; 256];
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for row in order.into_iter().map(|row| row as usize) {
        match &mut left[usize::from(labels[row])] {
            0 => others.push(row),
            left => {
                *left -= 1;
                taken.push(row);
            }
        }
    }
    taken.extend(others.into_iter().take(rows - taken.len()));
    taken
}

fn note(features: &mut [Features], name: &str, predicted: &[u8], labels: &[u8]) {
    let wrong = predicted.iter().zip(labels).filter(|(class, label)| class != label).count();
    let of = features.iter_mut().find(|of| of.name == name).expect("every kind has its line");
    of.errors.push(wrong as f64 / labels.len() as f64);
}

fn count(confusion: &mut [Vec<usize>], predicted: &[u8], labels: &[u8]) {
    predicted.iter().zip(labels).for_each(|(&class, &label)| confusion[usize::from(label)][usize::from(class)] += 1);
}

impl fmt::Display for Readout {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let draws = self.features[0].errors.len();
        let of = if draws == 1 { String::new() } else { format!(", mean and standard deviation of {draws} draws") };
        let lines = |f: &mut fmt::Formatter, all: &[Features]| -> fmt::Result {
            for features in all {
                write!(f, "\n  {:<22}{:>6} numbers  {:>6.2} %", features.name, features.columns, 100.0 * features.mean())?;
                if draws > 1 {
                    write!(f, " +- {:.2}", 100.0 * features.deviation())?;
                }
            }
            Ok(())
        };
        write!(f, "error of a linear classifier, {} labels{of}", self.labelled)?;
        lines(f, &self.features)?;
        if !self.spread.is_empty() {
            write!(f, "\nerror of the labels spread over the nearest of all training rows")?;
        }
        lines(f, &self.spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;

    #[test]
    fn draws_are_of_all_classes_alike_and_depend_on_the_seed() {
        let labels: Vec<u8> = (0..1000).map(|i| if i < 3 { 2 } else { (i % 2) as u8 }).collect();
        let rows = drawn(&labels, 30, 0);
        let of = |class: u8| rows.iter().filter(|&&row| labels[row] == class).count();
        // Three of the third class are all there are; the rest is filled up.
        assert_eq!((rows.len(), of(2), of(0) >= 10, of(1) >= 10), (30, 3, true, true));
        assert_eq!(rows.iter().collect::<std::collections::BTreeSet<_>>().len(), 30);
        assert_ne!(rows, drawn(&labels, 30, 1));
        let mut all = drawn(&labels, 1000, 5);
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn codes_of_digits_are_read_beside_components_and_pixels() {
        let [train, test] = [0..600, 600..800].map(|range| data::digits(0, range));
        let ae = Autoencoder::builder(784).layers([16]).build(&crate::Device::cpu().unwrap()).unwrap();
        let probe = ProbeConfig { steps: 200, ..ProbeConfig::default() };
        let config = ReadoutConfig { labelled: Some(200), draws: 2, fine_tune: true, spread: true, probe };
        let readout = Readout::of(&ae, &train, &test, config).unwrap();
        let names: Vec<_> = readout.features.iter().map(|f| (f.name, f.columns, f.errors.len())).collect();
        assert_eq!(names, [("codes", 16, 2), ("fine-tuned codes", 16, 2), ("principal components", 16, 2), ("rows", 784, 2)]);
        let errors: Vec<f64> = readout.features.iter().map(Features::mean).collect();
        assert!(errors.iter().all(|&error| error < 0.6) && errors[1] < errors[0], "{errors:?}");
        let spread: Vec<_> = readout.spread.iter().map(|f| (f.name, f.columns, f.errors.len())).collect();
        assert_eq!(spread, [("codes", 16, 2), ("principal components", 16, 2), ("rows", 784, 2)]);
        let of_train = train.labels().unwrap();
        let mut some = vec![None; 600];
        drawn(of_train, 200, probe.seed).into_iter().for_each(|row| some[row] = Some(of_train[row]));
        let graph = Spreading::of(ae.device(), &ae.encode(&train).unwrap(), Metric::Cosine).unwrap();
        let classes = graph.spread(&some).unwrap().vote(&graph.neighbours(&ae.encode(&test).unwrap()).unwrap()).unwrap();
        let wrong = classes.iter().zip(test.labels().unwrap()).filter(|(class, label)| class != label).count();
        assert_eq!(readout.spread[0].errors[0], wrong as f64 / 200.0);
        // Far from what guessing gives, 0.9.
        assert!(readout.spread.iter().all(|f| f.mean() < 0.6), "{readout}");
        assert_eq!(readout.to_string().matches("spread over").count(), 1, "{readout}");
        assert_eq!(readout.confusion.iter().flatten().sum::<usize>(), 400);
        let wrong: usize = (0..10).map(|class| 40 - readout.confusion[class][class]).sum();
        assert!((wrong as f64 / 400.0 - errors[1]).abs() < 1e-12);
        // The network itself is as it was.
        assert_eq!(Readout::of(&ae, &train, &test, config).unwrap(), readout);
        let text = Readout::of(&ae, &train, &test, ReadoutConfig { labelled: Some(601), ..config }).unwrap_err().to_string();
        assert!(text.contains("601 of 600 training rows"), "{text}");
    }
}
