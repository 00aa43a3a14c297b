//! What a training has come to, beside what needs no network.

use super::about::About;
use super::charts::{compared, counted, short};
use super::components::Components;
use super::metrics::Point;
use crate::data::{Dataset, Split};
use crate::nn::{Activation, DeadUnits, Layer, Spec};
use crate::train::Evaluation;
use crate::{Autoencoder, Result};
use std::fmt;

/// A network whose error on its training rows is at least this share of the mean's has collapsed.
const COLLAPSED: f64 = 0.99;
/// A network is untrained, and not collapsed, after fewer steps than these; as many as a training of unsaid length has
/// are enough.
const FEW_STEPS: usize = 200;
const ENOUGH_STEPS: usize = 3_000;
/// A network overfits whose test error is this many times its training error, or whose last error on rows that it is
/// not trained on is this many times its smallest.
const APART: f64 = 1.5;
const ROSE: f64 = 1.05;
/// What is tried against that.
const PATIENCE: usize = 10;
const DROPOUT: f32 = 0.2;
/// A layer has many dead units if this many times their number are all of it.
const DEAD: usize = 4;
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
    /// Whether the autoencoder is no better than the mean on its training rows, after steps enough to be.
    pub collapsed: bool,
    /// The steps of a training whose autoencoder is no better than the mean, if they are too few to tell.
    pub untrained: Option<usize>,
    /// The hidden layers with relu, and their units that no training row makes fire.
    pub dead_units: Vec<DeadUnits>,
    /// How many values of the test rows lie outside of what training saw, where that is known.
    pub outside: Option<usize>,
    /// Commands to try next, where the mean or principal components are better.
    pub advice: Vec<String>,
}

/// How the training went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Course {
    /// Whether patience ended it.
    stopped: bool,
    /// Its epochs, and its steps in all, where that is known.
    epochs: usize,
    steps: Option<usize>,
    /// Whether the network knows its training rows better than any others.
    overfits: bool,
}

impl Course {
    /// `rows` are those of a training epoch.
    pub(super) fn of(points: &[Point], rows: usize, evaluation: &Evaluation, about: &About) -> Course {
        let epochs = points.last().map_or(0, |last| last.epoch);
        let batch = about.get("batch size").and_then(|batch| batch.parse().ok()).filter(|&batch: &usize| batch > 0);
        let others: Vec<f64> = points.iter().filter_map(|point| point.validation_loss.or(point.test_loss)).collect();
        let least = others.iter().copied().fold(f64::INFINITY, f64::min);
        let rose = others.last().is_some_and(|&last| last > ROSE * least);
        Course {
            stopped: about.get("epochs").is_some_and(|said| said != epochs.to_string()),
            epochs,
            steps: batch.map(|batch| epochs.saturating_mul(rows.div_ceil(batch))),
            overfits: rose || evaluation.test.mse > APART * evaluation.train.mse,
        }
    }
}

impl Verdict {
    pub(super) fn of(
        ae: &Autoencoder,
        split: &Split,
        evaluation: &Evaluation,
        components: Option<Components>,
        about: &About,
        course: &Course,
    ) -> Result<Verdict> {
        let [train_mean, mean] = errors_of_the_mean(&ae.scaled(&split.train)?, &ae.scaled(&split.test)?);
        let no_better = train_mean > 0.0 && evaluation.train.mse >= COLLAPSED * train_mean;
        let untrained = course.steps.filter(|&steps| no_better && steps < FEW_STEPS);
        let mut verdict = Verdict {
            error: evaluation.test.mse,
            mean,
            components: components.map(|left| left.test / ae.inputs() as f64),
            exact: components.is_some_and(|left| left.exact),
            code: ae.code_width(),
            collapsed: no_better && untrained.is_none(),
            untrained,
            dead_units: ae.dead_units(&split.train)?,
            outside: evaluation.test.outside,
            advice: Vec::new(),
        };
        verdict.advice = verdict.advice(ae.spec(), about, course);
        Ok(verdict)
    }

    /// What was trained for a few steps is trained for longer. Many units that never fire get another function. What
    /// overfits is stopped sooner, or gets dropout: more epochs or wider layers would make it worse. All else is
    /// trained for longer, or is made wider.
    fn advice(&self, spec: &Spec, about: &About, course: &Course) -> Vec<String> {
        let command = &about.command;
        if let Some(steps) = self.untrained {
            let epochs = (ENOUGH_STEPS * course.epochs).div_ceil(steps.max(1));
            return vec![format!("{command} --epochs {epochs}")];
        }
        let relu = [&spec.encoder, &spec.decoder].iter().any(|half| half.layers.contains(&Layer::Act(Activation::Relu)));
        if self.collapsed && relu {
            return vec![format!("{command} --activation leaky")];
        }
        // A training for more than the error of clean rows pays for it in that error.
        let for_more =
            spec.variational || spec.sparse.is_some() || ["noise", "sparse", "contractive"].iter().any(|part| about.get(part).is_some());
        let behind = !for_more && !self.exact && self.components.is_some_and(|left| self.error > left);
        if !behind && !self.collapsed {
            return Vec::new();
        }
        // A unit that no row makes fire learns no more.
        let many_dead = relu && self.dead_units.iter().any(|layer| DEAD * layer.dead >= layer.units);
        let leaky = many_dead.then(|| format!("{command} --activation leaky"));
        if course.overfits && !self.collapsed {
            let hidden = [&spec.encoder, &spec.decoder].iter().any(|half| half.layers.iter().any(|layer| matches!(layer, Layer::Act(_))));
            let dropout = about.get("dropout").and_then(|share| share.parse().ok()).unwrap_or(0.0);
            let sooner = about.get("patience").is_none_or(|patience| patience == "none");
            let flags = [(sooner, format!("--patience {PATIENCE}")), (hidden && dropout < DROPOUT, format!("--dropout {DROPOUT}"))];
            return leaky
                .into_iter()
                .chain(flags.into_iter().filter_map(|(helps, flag)| helps.then(|| format!("{command} {flag}"))))
                .collect();
        }
        let widths = spec.widths();
        let hidden = widths[1..widths.len() - 1].iter().map(|width| format!("{},", 2 * width)).collect::<String>();
        let hidden = if hidden.is_empty() { format!("{},", 4 * self.code) } else { hidden };
        let wider = format!("{command} --layers {hidden}{}", self.code);
        let epochs = about.get("epochs").and_then(|epochs| epochs.parse::<usize>().ok());
        let longer = epochs.filter(|_| !course.stopped).map(|epochs| format!("{command} --epochs {}", epochs.saturating_mul(2)));
        leaky.into_iter().chain(longer).chain([wider]).collect()
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
        let Verdict { error, code, .. } = self;
        let mean = short(self.mean);
        write!(f, "test error {} per element, ", short(*error))?;
        let plural = if *code == 1 { "" } else { "s" };
        if let Some(steps) = self.untrained {
            return write!(f, "no better than the mean of each column ({mean}): it was trained for {} only", counted(steps, "step"));
        }
        match self.components {
            _ if self.collapsed => write!(f, "no better than the mean of each column ({mean}): the network has collapsed"),
            Some(_) if self.exact => {
                write!(f, "where {code} principal component{plural} give{} rows back exactly", if *code == 1 { "s" } else { "" })
            }
            Some(left) => {
                let s = if *code == 1 { "s" } else { "" };
                write!(f, "{} {code} principal component{plural} leave{s} ({})", compared(*error, left), short(left))
            }
            None => write!(f, "where the mean of each column leaves {mean}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Evaluation, Metrics};
    use crate::{Device, data};

    const COMMAND: &str = "narrows train --config m/config.toml";

    fn about(settings: &[(&str, &str)]) -> About {
        let about = About::new(&Device::cpu().unwrap(), "t.csv", COMMAND, 1.0);
        settings.iter().fold(about, |about, (name, value)| about.setting(name, value))
    }

    /// The errors of an untrained network, with these in their place.
    fn errors(train: f64, test: f64) -> Evaluation {
        let ae = Autoencoder::builder(784).layers([2]).build(&Device::cpu().unwrap()).unwrap();
        let measured = |mse: f64| Metrics { mse, ..ae.measure(&data::digits(0, 0..2)).unwrap() };
        Evaluation { train: measured(train), test: measured(test) }
    }

    fn points(validation: &[f64]) -> Vec<Point> {
        let point = |(at, &loss): (usize, &f64)| Point { epoch: 10 * (at + 1), validation_loss: Some(loss), ..Point::default() };
        validation.iter().enumerate().map(point).collect()
    }

    fn verdict(error: f64) -> Verdict {
        let (components, dead_units, advice) = (Some(1.0), Vec::new(), Vec::new());
        let (collapsed, untrained, outside) = (false, None, None);
        Verdict { error, mean: 4.0, components, exact: false, code: 2, collapsed, untrained, dead_units, outside, advice }
    }

    #[test]
    fn what_overfits_is_stopped_sooner_or_gets_dropout_and_is_not_trained_for_longer() {
        let spec = Autoencoder::builder(9).hidden([5]).code(2).spec().unwrap();
        let bare = Autoencoder::builder(9).layers([2]).spec().unwrap();
        let settings = [("epochs", "30"), ("batch size", "128")];
        for (losses, train, test, overfits) in [
            (&[3.0, 2.0, 1.9][..], 1.0, 1.4, false),
            (&[3.0, 2.0, 1.9], 1.0, 1.6, true),
            (&[3.0, 2.0, 2.05], 1.0, 1.0, false),
            (&[3.0, 2.0, 2.2], 1.0, 1.0, true),
        ] {
            let said = about(&settings);
            let course = Course::of(&points(losses), 300, &errors(train, test), &said);
            assert_eq!((course.overfits, course.steps, course.stopped), (overfits, Some(90), false), "{losses:?} {train} {test}");
            let advice = verdict(2.0).advice(&spec, &said, &course);
            let flags = if overfits { ["--patience 10", "--dropout 0.2"] } else { ["--epochs 60", "--layers 10,2"] };
            assert_eq!(advice, flags.map(|flag| format!("{COMMAND} {flag}")));
            assert!(verdict(0.9).advice(&spec, &said, &course).is_empty(), "better than the components");
        }
        // Many units that never fire come first, with relu.
        let said = about(&settings);
        let course_of = |losses: &[f64]| Course::of(&points(losses), 300, &errors(1.0, 1.0), &said);
        let dead = |dead| Verdict { dead_units: vec![DeadUnits { layer: "encoder.1".into(), dead, units: 5 }], ..verdict(2.0) };
        let advised = |verdict: Verdict, losses: &[f64]| verdict.advice(&spec, &said, &course_of(losses))[0].clone();
        for losses in [&[3.0, 2.0, 1.9][..], &[3.0, 2.0, 2.2]] {
            assert_eq!(advised(dead(2), losses), format!("{COMMAND} --activation leaky"));
            assert_ne!(advised(dead(1), losses), format!("{COMMAND} --activation leaky"));
        }
        assert!(Verdict { error: 0.9, ..dead(5) }.advice(&spec, &said, &course_of(&[1.0])).is_empty());
        // What is there already, or has nothing to act on, is not advised.
        let course = |about: &About| Course::of(&points(&[1.0, 2.0]), 300, &errors(1.0, 1.0), about);
        let patient = about(&[("patience", "10"), ("dropout", "0.1")]);
        assert_eq!(verdict(2.0).advice(&spec, &patient, &course(&patient)), [format!("{COMMAND} --dropout 0.2")]);
        let dropping = about(&[("dropout", "0.5")]);
        assert_eq!(verdict(2.0).advice(&spec, &dropping, &course(&dropping)), [format!("{COMMAND} --patience 10")]);
        assert_eq!(verdict(2.0).advice(&bare, &about(&[]), &course(&about(&[]))), [format!("{COMMAND} --patience 10")]);
    }

    #[test]
    fn a_network_of_a_few_steps_is_untrained_and_one_of_many_has_collapsed() {
        let digits = data::digits(0, 0..60);
        let split = Split::new(digits.head(50), digits.rows(50..60));
        let ae = Autoencoder::builder(784).hidden([8]).code(2).build(&Device::cpu().unwrap()).unwrap();
        let both = Evaluation { train: ae.measure(&split.train).unwrap(), test: ae.measure(&split.test).unwrap() };
        let of = |epochs: &str| {
            let said = about(&[("epochs", epochs), ("batch size", "16")]);
            let last = Point { epoch: epochs.parse().unwrap(), ..Point::default() };
            Verdict::of(&ae, &split, &both, None, &said, &Course::of(&[last], 50, &both, &said)).unwrap()
        };
        let few = of("3");
        assert!(few.to_string().ends_with("it was trained for 12 steps only"), "{few}");
        assert_eq!((few.collapsed, few.untrained, few.advice), (false, Some(12), vec![format!("{COMMAND} --epochs 750")]));
        let many = of("50");
        assert!(many.to_string().ends_with("the network has collapsed"), "{many}");
        assert_eq!((many.collapsed, many.untrained, many.advice), (true, None, vec![format!("{COMMAND} --activation leaky")]));
    }
}
