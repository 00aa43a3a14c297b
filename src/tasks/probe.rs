//! How much a linear classifier can read in features.

use crate::data::{Dataset, Scaler};
use crate::params::Params;
use crate::rng::{permutation, purpose};
use crate::train::Steps;
use crate::{Adam, AdamConfig, Autoencoder, Clock, Device, Error, Program, Result, Schedule, Tape, Tensor, Val};

/// Rows that the classifier reads at once.
const READ: usize = 4096;

/// How a probe is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeConfig {
    /// Steps of Adam, at least 1. Default 4000.
    pub steps: usize,
    /// Rows of a step, at least 1; all where there are fewer. Default 256.
    pub batch_size: usize,
    /// The learning rate of the first step; it falls to 0 along half a cosine. Default 0.01.
    pub learning_rate: f64,
    /// Decoupled decay of the classifier's weights: few labels are separated by many classifiers. Default 0.3.
    pub weight_decay: f64,
    /// The seed of the order of the rows. Default 0.
    pub seed: u64,
}

impl Default for ProbeConfig {
    fn default() -> ProbeConfig {
        ProbeConfig { steps: 4000, batch_size: 256, learning_rate: 0.01, weight_decay: 0.3, seed: 0 }
    }
}

/// A linear softmax classifier, trained by cross-entropy: what can be read in frozen codes by a weight for each unit
/// and class. Columns have their mean taken out and are divided by one number for all, the root of their mean variance
/// in the rows that it is trained on: what varies little counts little, as it does for distances.
///
/// ```
/// use narrows::{Device, data::Dataset, tasks::{Probe, ProbeConfig}};
/// let rows = Dataset::from_rows("corners", vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], &[2])?;
/// let rows = rows.with_labels(vec![0, 0, 1, 1])?;
/// let probe = Probe::fit(&Device::cpu()?, &rows, ProbeConfig { steps: 100, ..ProbeConfig::default() })?;
/// assert_eq!(probe.predict(&rows)?, [0, 0, 1, 1]);
/// assert_eq!(probe.error(&rows)?, 0.0);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Debug)]
pub struct Probe {
    params: Params,
    scaler: Scaler,
    classes: usize,
}

impl Probe {
    /// Trains a classifier on rows of features and their labels.
    ///
    /// # Errors
    /// When the rows have no labels or there are none, a number of the configuration is out of its range, or the device
    /// fails.
    pub fn fit(device: &Device, rows: &Dataset, config: ProbeConfig) -> Result<Probe> {
        let labels: Vec<u32> = labels(rows)?.iter().map(|&label| label.into()).collect();
        for (name, value) in [("steps", config.steps), ("batch size", config.batch_size)] {
            if value == 0 {
                return Err(Error::argument(name, "it is 0", "Use at least 1."));
            }
        }
        let classes = labels.iter().max().map_or(0, |&last| last as usize + 1);
        let all = rows.rows_f64(0..rows.len());
        let scaler = centred(&all, rows.columns())?;
        let layout = [("weight".into(), vec![classes, rows.columns()]), ("bias".into(), vec![classes])];
        // All zeros: the loss has one minimum, or none, wherever it is begun.
        let probe = Probe { params: Params::new(device, &layout)?, scaler, classes };
        let scaled = probe.scaler.apply(&all);
        drop(all);
        probe.train(&scaled, &labels, config, None)?;
        Ok(probe)
    }

    /// Trains a classifier on the codes of a network, and then both together: the encoder of a copy learns with the
    /// classifier (linear probing, then fine-tuning: Kumar et al. 2022), at a tenth of its learning rate. The
    /// classifier is for the codes of that copy.
    ///
    /// # Errors
    /// As [`Probe::fit`]; or the rows do not fit the network.
    pub fn fine_tune(ae: &Autoencoder, rows: &Dataset, config: ProbeConfig) -> Result<(Autoencoder, Probe)> {
        let of_rows = labels(rows)?;
        let codes = ae.encode(rows)?;
        let codes = Dataset::from_rows(rows.name(), codes.values, &[codes.columns])?.with_labels(of_rows.to_vec())?;
        let probe = Probe::fit(ae.device(), &codes, config)?.for_plain_columns()?;
        let ae = ae.copied()?;
        let whole: Vec<u32> = of_rows.iter().map(|&label| label.into()).collect();
        let scaled = ae.scaled(rows)?;
        let tuned = ProbeConfig { learning_rate: config.learning_rate / 10.0, ..config };
        probe.train(&scaled.rows_f32(0..scaled.len()), &whole, tuned, Some(&ae))?;
        Ok((ae, probe))
    }

    /// The same classifier for columns as they are.
    fn for_plain_columns(self) -> Result<Probe> {
        let (w, b) = (self.params.read("weight")?, self.params.read("bias")?);
        let (shift, scale) = (self.scaler.shift(), self.scaler.scale());
        let columns = scale.len();
        let plain: Vec<f64> = w.iter().enumerate().map(|(i, &w)| f64::from(w) / scale[i % columns]).collect();
        let moved = |row: &[f64]| row.iter().zip(shift).map(|(w, shift)| w * shift).sum::<f64>();
        let bias: Vec<f32> = plain.chunks(columns).zip(&b).map(|(row, &b)| (f64::from(b) - moved(row)) as f32).collect();
        self.params.write("weight", &plain.iter().map(|&w| w as f32).collect::<Vec<_>>())?;
        self.params.write("bias", &bias)?;
        Ok(Probe { scaler: Scaler::new(vec![0.0; columns], vec![1.0; columns])?, ..self })
    }

    /// Trains the classifier on rows of features; or on the codes that a network, which learns too, has of them.
    fn train(&self, rows: &[f32], labels: &[u32], config: ProbeConfig, ae: Option<&Autoencoder>) -> Result<()> {
        let device = self.params.device();
        let count = labels.len();
        let data = Tensor::new(device, rows, &[count, rows.len() / count])?;
        let labels = Tensor::indices(device, labels, self.classes)?;
        let batch = config.batch_size.min(count);
        let per_epoch = count / batch;
        let steps = Steps { epochs: 1, per_epoch: config.steps, warmup: 0 };
        let rates = Schedule::Cosine { to: 0.0 }.rates(config.learning_rate, steps)?;
        let clock = Clock::new(device)?;
        let adam = AdamConfig { learning_rate: config.learning_rate, ..AdamConfig::default() };
        let decayed = AdamConfig { weight_decay: config.weight_decay, ..adam };
        let learners = std::iter::once((&self.params, decayed)).chain(ae.map(|ae| (ae.params(), adam)));
        let adams = learners.map(|(params, adam)| Adam::with_rates(params, adam, &clock, &rates)).collect::<Result<Vec<_>>>()?;
        let order = |epoch: usize| permutation(count as u32, config.seed, purpose::SHUFFLE, epoch as u32);
        let drawn = Tensor::indices(device, &order(0), count)?;

        let mut tape = Tape::plan(device);
        let x = tape.gather(&data, &drawn, &clock, batch)?;
        let labels = tape.gather_indices(&labels, &drawn, &clock, batch)?;
        let features = ae.map_or(Ok(x), |ae| ae.encode_on(&mut tape, x))?;
        let z = self.record(&mut tape, features)?;
        let loss = tape.xent(z, &labels)?;
        tape.backward(loss)?;
        adams.iter().try_for_each(|adam| adam.step(&mut tape))?;
        tape.advance(&clock, batch, &drawn)?;
        let mut step = tape.compile()?;
        for epoch in 0..config.steps.div_ceil(per_epoch) {
            if epoch > 0 {
                drawn.write_u32(&order(epoch))?;
            }
            step.run(per_epoch.min(config.steps - epoch * per_epoch))?;
        }
        match step.read(loss)?[0] {
            loss if loss.is_finite() => Ok(()),
            _ => Err(Error::Diverged { step: config.steps as u64, what: "the loss", learning_rate: config.learning_rate as f32 }),
        }
    }

    fn record(&self, tape: &mut Tape, x: Val) -> Result<Val> {
        let (w, b) = (tape.param(&self.params, "weight")?, tape.param(&self.params, "bias")?);
        tape.dense(x, w, b)
    }

    fn scaled(&self, rows: &Dataset) -> Vec<f32> {
        self.scaler.apply(&rows.rows_f64(0..rows.len()))
    }

    /// The classes that it knows.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The most likely class of each row; of equals the lowest.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn predict(&self, rows: &Dataset) -> Result<Vec<u8>> {
        let columns = self.scaler.columns();
        if rows.columns() != columns {
            let problem = format!("rows of {} columns where {columns} are needed", rows.columns());
            return Err(Error::data(rows.name(), problem, "Pass features of the kind that the probe was trained on."));
        }
        let values = self.scaled(rows);
        let mut classes = Vec::with_capacity(rows.len());
        let mut programs: Vec<(usize, Val, Val, Program)> = Vec::new();
        for part in values.chunks(READ * columns) {
            let count = part.len() / columns;
            if programs.last().is_none_or(|(rows, ..)| *rows != count) {
                let device = self.params.device();
                let mut tape = Tape::plan(device);
                let x = tape.input(&Tensor::zeros(device, &[count, columns])?)?;
                let z = self.record(&mut tape, x)?;
                programs.push((count, x, z, tape.compile()?));
            }
            let (_, x, z, program) = programs.last_mut().expect("one was pushed");
            program.write(*x, part)?;
            program.run(1)?;
            let most = |z: &[f32]| (0..z.len()).fold(0, |most, c| if z[c] > z[most] { c } else { most }) as u8;
            classes.extend(program.read(*z)?.chunks(self.classes).map(most));
        }
        Ok(classes)
    }

    /// The share of rows that it puts into another class than their label.
    ///
    /// # Errors
    /// When the rows have no labels or another number of columns, there are none, or the device fails.
    pub fn error(&self, rows: &Dataset) -> Result<f64> {
        let labels = labels(rows)?;
        let wrong = self.predict(rows)?.iter().zip(labels).filter(|(class, label)| class != label).count();
        Ok(wrong as f64 / labels.len() as f64)
    }
}

/// The mean of each column, and the root of the mean of their variances.
fn centred(all: &[f64], columns: usize) -> Result<Scaler> {
    let rows = all.len() / columns;
    let mut mean = vec![0.0; columns];
    for row in all.chunks(columns) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / rows as f64);
    }
    let squares: f64 = all.chunks(columns).map(|row| row.iter().zip(&mean).map(|(x, mean)| (x - mean).powi(2)).sum::<f64>()).sum();
    let scale = (squares / all.len() as f64).sqrt();
    Scaler::new(mean, vec![if scale > 0.0 { scale } else { 1.0 }; columns])
}

/// The labels of rows.
pub(super) fn labels(rows: &Dataset) -> Result<&[u8]> {
    match rows.labels() {
        Some([]) => Err(Error::data(rows.name(), "there are no rows", "Pass at least one.")),
        Some(labels) => Ok(labels),
        None => Err(Error::data(rows.name(), "the rows have no labels", "Pass rows with labels, see `Dataset::with_labels`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Two classes on a line, which overlap: the probe must find the logistic regression, whose slope and intercept a
    /// Newton iteration gives.
    #[test]
    fn a_probe_is_the_logistic_regression() {
        let device = Device::cpu().unwrap();
        let mut rng = Rng::new(3, 0);
        let labels: Vec<u8> = (0..512).map(|i| (i % 2) as u8).collect();
        let x: Vec<f32> = labels.iter().map(|&l| 4.0 * rng.uniform() + f32::from(l)).collect();
        let rows = Dataset::from_rows("line", x, &[1]).unwrap().with_labels(labels.clone()).unwrap();
        let config = ProbeConfig { steps: 3000, batch_size: 512, weight_decay: 0.0, ..ProbeConfig::default() };
        let probe = Probe::fit(&device, &rows, config).unwrap();
        let x = probe.scaled(&rows);
        let [mut slope, mut intercept] = [0.0; 2];
        for _ in 0..30 {
            let (mut g, mut h) = ([0.0; 2], [0.0; 3]);
            for (&x, &label) in x.iter().zip(&labels) {
                let x = f64::from(x);
                let p = 1.0 / (1.0 + (-slope * x - intercept).exp());
                let (off, weight) = (p - f64::from(label), p * (1.0 - p));
                g = [g[0] + off * x, g[1] + off];
                h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
            }
            let det = h[0] * h[2] - h[1] * h[1];
            (slope, intercept) = (slope - (h[2] * g[0] - h[1] * g[1]) / det, intercept - (h[0] * g[1] - h[1] * g[0]) / det);
        }
        let (w, b) = (probe.params.read("weight").unwrap(), probe.params.read("bias").unwrap());
        let (got, at) = (f64::from(w[1] - w[0]), f64::from(b[1] - b[0]));
        assert!((got - slope).abs() < 1e-3 && (at - intercept).abs() < 1e-3, "{got} {at}, and not {slope} {intercept}");
        // The same seed, the same bits.
        let again = Probe::fit(&device, &rows, config).unwrap();
        assert_eq!(again.params.read("weight").unwrap(), w);
    }

    #[test]
    fn more_rows_than_are_read_at_once_and_other_columns() {
        let device = Device::cpu().unwrap();
        let count = READ + 7;
        let labels: Vec<u8> = (0..count).map(|i| (i % 3) as u8).collect();
        let values = labels.iter().flat_map(|&l| [f32::from(l == 0), f32::from(l == 1)]).collect();
        let rows = Dataset::from_rows("three", values, &[2]).unwrap().with_labels(labels.clone()).unwrap();
        let probe = Probe::fit(&device, &rows, ProbeConfig { steps: 200, ..ProbeConfig::default() }).unwrap();
        assert_eq!((probe.predict(&rows).unwrap(), probe.classes()), (labels, 3));
        let other = Dataset::from_rows("other", vec![1.0; 3], &[3]).unwrap();
        let text = probe.predict(&other).unwrap_err().to_string();
        assert!(text.contains("rows of 3 columns where 2 are needed"), "{text}");
        let text = Probe::fit(&device, &other, ProbeConfig::default()).unwrap_err().to_string();
        assert!(text.contains("the rows have no labels"), "{text}");
    }
}
