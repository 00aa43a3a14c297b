//! What a training has come to, beside what needs no network.

use super::about::About;
use super::components::Components;
use crate::data::{Dataset, Split};
use crate::nn::{Activation, DeadUnits, Layer, Spec};
use crate::train::Evaluation;
use crate::{Autoencoder, Result};
use std::fmt;

/// A network whose error on its training rows is at least this share of the mean's has collapsed.
const COLLAPSED: f64 = 0.99;
/// The rows that are looked at at once.
const CHUNK: usize = 1024;

/// The error of an autoencoder beside those of the mean and of principal components, all per element of the test rows
/// as the network sees them. `Display` gives it as a line.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The error of the autoencoder.
    pub error: f64,
    /// What the mean of each column of the training rows leaves.
    pub mean: f64,
    /// What as many principal components as the code has numbers leave, where they are computed.
    pub components: Option<f64>,
    /// Whether these leave nothing but rounding.
    pub exact: bool,
    /// The numbers in a code.
    pub code: usize,
    /// Whether the autoencoder is no better than the mean on its training rows.
    pub collapsed: bool,
    /// The hidden layers with relu, and their units that no training row makes fire.
    pub dead_units: Vec<DeadUnits>,
    /// How many values of the test rows lie outside of what training saw, where that is known.
    pub outside: Option<usize>,
    /// Commands to try next, where the mean or principal components are better.
    pub advice: Vec<String>,
}

impl Verdict {
    /// `stopped` is whether patience ended the training.
    pub(super) fn of(
        ae: &Autoencoder,
        split: &Split,
        evaluation: &Evaluation,
        components: Option<Components>,
        about: &About,
        stopped: bool,
    ) -> Result<Verdict> {
        let [train_mean, mean] = errors_of_the_mean(&ae.scaled(&split.train)?, &ae.scaled(&split.test)?);
        let mut verdict = Verdict {
            error: evaluation.test.mse,
            mean,
            components: components.map(|left| left.test / ae.inputs() as f64),
            exact: components.is_some_and(|left| left.exact),
            code: ae.code_width(),
            collapsed: train_mean > 0.0 && evaluation.train.mse >= COLLAPSED * train_mean,
            dead_units: ae.dead_units(&split.train)?,
            outside: evaluation.test.outside,
            advice: Vec::new(),
        };
        verdict.advice = verdict.advice(ae.spec(), about, stopped);
        Ok(verdict)
    }

    fn advice(&self, spec: &Spec, about: &About, stopped: bool) -> Vec<String> {
        let command = &about.command;
        let relu = [&spec.encoder, &spec.decoder].iter().any(|half| half.layers.contains(&Layer::Act(Activation::Relu)));
        if self.collapsed && relu {
            return vec![format!("{command} --activation leaky")];
        }
        let behind = !self.exact && self.components.is_some_and(|left| self.error > left);
        if !behind && !self.collapsed {
            return Vec::new();
        }
        let widths = spec.encoder.widths();
        let hidden = widths[1..widths.len() - 1].iter().map(|width| format!("{},", 2 * width)).collect::<String>();
        let hidden = if hidden.is_empty() { format!("{},", 4 * self.code) } else { hidden };
        let wider = format!("{command} --layers {hidden}{}", self.code);
        let epochs = about.settings.iter().find(|(name, _)| name == "epochs").and_then(|(_, epochs)| epochs.parse::<usize>().ok());
        let longer = epochs.filter(|_| !stopped).map(|epochs| format!("{command} --epochs {}", epochs.saturating_mul(2)));
        longer.into_iter().chain([wider]).collect()
    }

    /// The units that never fire, in words, if there are any.
    pub fn dead(&self) -> Option<String> {
        let dead = self.dead_units.iter().filter(|layer| layer.dead > 0);
        let dead: Vec<_> = dead.map(|DeadUnits { layer, dead, units }| format!("{dead} of {units} in {layer}")).collect();
        (!dead.is_empty()).then(|| dead.join(", "))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Verdict { error, mean, code, .. } = self;
        write!(f, "test error {error:.5} per element, ")?;
        let plural = if *code == 1 { "" } else { "s" };
        match self.components {
            _ if self.collapsed => write!(f, "no better than the mean of each column ({mean:.5}): the network has collapsed"),
            Some(_) if self.exact => {
                write!(f, "where {code} principal component{plural} give{} rows back exactly", if *code == 1 { "s" } else { "" })
            }
            Some(left) => {
                let change = 100.0 * (error / left - 1.0);
                let than = if change < 0.0 { "less" } else { "more" };
                write!(
                    f,
                    "{:.0} % {than} than {code} principal component{plural} leave{} ({left:.5})",
                    change.abs(),
                    if *code == 1 { "s" } else { "" }
                )
            }
            None => write!(f, "where the mean of each column leaves {mean:.5}"),
        }
    }
}

/// The errors of answering every row with the mean of the training rows: on those, and on the test rows.
fn errors_of_the_mean(train: &Dataset, test: &Dataset) -> [f64; 2] {
    let mut mean = vec![0.0; train.columns()];
    for chunk in chunks(train) {
        chunk.chunks_exact(mean.len()).for_each(|row| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x));
    }
    mean.iter_mut().for_each(|mean| *mean /= train.len() as f64);
    let square = |(x, mean): (&f64, &f64)| (x - mean).powi(2);
    let sum = |rows| chunks(rows).map(|chunk| chunk.iter().zip(mean.iter().cycle()).map(square).sum::<f64>()).sum::<f64>();
    [train, test].map(|rows| sum(rows) / (rows.len() * rows.columns()) as f64)
}

fn chunks(rows: &Dataset) -> impl Iterator<Item = Vec<f64>> {
    (0..rows.len()).step_by(CHUNK).map(|at| rows.rows_f64(at..at + CHUNK))
}
