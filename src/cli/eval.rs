//! `narrows eval`

use super::common::{Common, PLOT, check_ending, check_place, ends_in, is_same, plotted, print};
use super::input::Halves;
use super::model::Model;
use super::outside::Outside;
use super::scoring::{ScoreBy, Scorer};
use super::settings::{Settings, run_of};
use clap::Args;
use narrows::data::Dataset;
use narrows::nn::{Corruption, Output};
use narrows::tasks::{self, Activity, Denoising, Detection, Latent, Likelihood};
use narrows::train::{Evaluation, Metrics};
use narrows::{Autoencoder, Error, Loss, Result, report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Eval {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    /// Adds noise to the test rows, in the network's units, and measures what the network makes of them.
    #[arg(long, value_name = "gaussian:S|mask:P|salt-pepper:P", value_parser = super::flags::noise)]
    noise: Option<Corruption>,
    /// Of a variational network: estimates the log likelihood of the test rows by this many drawn codes a row.
    #[arg(long, value_name = "K")]
    nll: Option<usize>,
    /// Measures the squared Frobenius norm of the code's Jacobian, mean over the test rows. Always of a contractive
    /// network.
    #[arg(long)]
    jacobian: bool,
    /// Measures how well scores find anomalies among the test rows, or among all rows of data that the network was not
    /// trained on: this column of the table is 1, true or yes for them, and 0, false or no for usual rows.
    #[arg(long, value_name = "COLUMN", conflicts_with = "label")]
    anomaly: Option<String>,
    /// The same by classes: rows of these are usual, all others are anomalies. The classes are those of --anomaly, or
    /// without it the labels.
    #[arg(long, value_name = "CLASS,..", value_delimiter = ',')]
    normal: Vec<String>,
    /// With --anomaly or --normal: what the score is.
    #[arg(long, value_enum, default_value_t = ScoreBy::Error, value_name = "error|distance|noise", hide_possible_values = true)]
    score_by: ScoreBy,
    /// With --anomaly or --normal: draws ROC and precision against recall, in an .svg or a .png.
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seed of the noise and of drawn codes.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// The errors on training and test rows, or on all rows of data that the network was not trained on.
enum Measured {
    Both(Box<Evaluation>),
    Whole(Box<Metrics>),
}

impl Measured {
    fn of(ae: &Autoencoder, train: Option<&Dataset>, test: &Dataset) -> Result<Measured> {
        let test = ae.measure(test)?;
        Ok(match train {
            Some(train) => Measured::Both(Box::new(Evaluation { train: ae.measure(train)?, test })),
            None => Measured::Whole(Box::new(test)),
        })
    }

    fn parts(&self) -> Vec<&Metrics> {
        match self {
            Measured::Both(both) => vec![&both.train, &both.test],
            Measured::Whole(whole) => vec![whole],
        }
    }

    fn json(&self) -> Value {
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
        match self {
            Measured::Both(both) => read(both.json()),
            Measured::Whole(whole) => json!({ "train": null, "test": read(whole.json()), "gap": null }),
        }
    }
}

impl Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Measured::Both(both) => both.fmt(f),
            Measured::Whole(whole) => whole.fmt(f),
        }
    }
}

/// What is measured of the test rows besides their reconstructions.
#[derive(Default)]
struct More {
    noise: Option<Denoising>,
    activity: Option<Activity>,
    latent: Option<Latent>,
    likelihood: Option<Likelihood>,
    /// The squared norm of the code's Jacobian.
    jacobian: Option<f64>,
    detection: Option<Detection>,
}

impl Eval {
    /// Prints the errors on training and test rows, or on all rows of other data that have no parts.
    pub(super) fn run(&self) -> Result<()> {
        self.check_out()?;
        let (ae, ensemble) = self.model.load_all(&self.common)?;
        self.model.say_first(ensemble.as_ref().filter(|_| !self.finds_anomalies()), &self.common);
        let (split, data) = self.halves.open(self.model.path(), &ae, &self.common)?;
        if let Some(out) = &self.out {
            check_place(out, "the model", self.model.is_at(out))?;
            check_place(out, "the rows", is_same(out, &data))?;
        }
        let whole = self.halves.whole(self.model.path(), &ae, &split)?;
        let test = whole.as_ref().unwrap_or(&split.test);
        let measured = Measured::of(&ae, whole.is_none().then_some(&split.train), test)?;
        let mut more = self.more(&ae, test)?;
        if self.finds_anomalies() {
            let labelled = match (&whole, &self.anomaly) {
                (Some(rows), None) => rows.clone(),
                (_, column) => self.halves.labelled(self.model.path(), &ae, &split, column.as_deref())?,
            };
            let scorer = Scorer::of(self.score_by, self.model.path(), &ae, ensemble)?;
            let scores = scorer.scores(&labelled)?;
            let found = Detection::of(&scores, &self.anomalies(&labelled)?)?;
            self.draw(&found)?;
            more.detection = Some(found);
        }
        let outside = Outside::default();
        for part in measured.parts() {
            outside.add(part.outside.unwrap_or(0), part.rows * part.columns);
        }
        outside.say(&self.common);
        if let Some(latent) = more.latent.as_ref().filter(|latent| latent.is_collapsed()) {
            let (idle, units) = (latent.variances.len() - latent.active(), latent.variances.len());
            self.common.say(format_args!(
                "{idle} of {units} units say nothing about a row: their posterior has collapsed to the prior. Where they are wanted: --beta below {}, --kl-warmup, --free-bits",
                latent.beta
            ));
        }
        match self.json {
            true => print(more.put_into(measured.json())),
            false => print(more.after(&measured)),
        }
    }

    fn finds_anomalies(&self) -> bool {
        self.anomaly.is_some() || !self.normal.is_empty()
    }

    /// Rejects a picture of nothing, or in a format that there is not.
    fn check_out(&self) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let refuse = |problem: String, remedy: &str| Err(Error::Argument { name: "-o".into(), problem, remedy: remedy.into() });
        match self.finds_anomalies() {
            true => check_ending(out, PLOT),
            false => refuse("there are no curves to draw".into(), "Say which rows are anomalies: --anomaly COLUMN or --normal CLASS,.."),
        }
    }

    fn draw(&self, found: &Detection) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        report::write(out, &plotted(report::detection(found), ends_in(out, "png"))?)?;
        self.common.say(format_args!("ROC and precision against recall in {}", out.display()));
        Ok(())
    }

    /// Which of the rows are anomalies.
    fn anomalies(&self, rows: &Dataset) -> Result<Vec<bool>> {
        let Some(labels) = rows.labels() else {
            return Err(Error::Data {
                path: rows.name().into(),
                problem: "its rows have no labels".into(),
                remedy: "Name the column that says which are anomalies: --anomaly COLUMN.".into(),
            });
        };
        let names: BTreeMap<u8, String> = labels.iter().map(|&label| (label, rows.class_name(label))).collect();
        let list = names.values().take(20).cloned().collect::<Vec<_>>().join(", ");
        let is = |name: &str, words: [&str; 3]| words.iter().any(|word| name.eq_ignore_ascii_case(word));
        let mut marks = BTreeMap::new();
        for (&label, name) in &names {
            let mark = match (is(name, ["1", "true", "yes"]), is(name, ["0", "false", "no"])) {
                _ if !self.normal.is_empty() => !self.normal.contains(name),
                (true, _) => true,
                (_, true) => false,
                _ => {
                    return Err(Error::Argument {
                        name: "--anomaly".into(),
                        problem: format!("it has the class {name}, which is neither 0 nor 1"),
                        remedy: format!("Say which classes are usual, --normal CLASS,..; there are {list}."),
                    });
                }
            };
            marks.insert(label, mark);
        }
        match self.normal.iter().find(|normal| !names.values().any(|name| name == *normal)) {
            Some(absent) => Err(Error::Argument {
                name: "--normal".into(),
                problem: format!("no row has the class {absent}"),
                remedy: format!("Name some of {list}."),
            }),
            None => Ok(labels.iter().map(|label| marks[label]).collect()),
        }
    }

    fn more(&self, ae: &Autoencoder, test: &Dataset) -> Result<More> {
        let mut more = More { noise: self.noise.map(|noise| Denoising::of(ae, test, noise, self.seed)).transpose()?, ..More::default() };
        let run = run_of(self.model.path()).map(Settings::read).transpose()?;
        if self.jacobian || run.is_some_and(|settings| settings.fit.contractive > 0.0) {
            more.jacobian = Some(tasks::jacobian_norm(ae, test)?);
        }
        more.activity = Some(Activity::of(ae, test)?).filter(|activity| activity.on < activity.shares.len() as f64);
        if ae.spec().variational || self.nll.is_some() {
            let (loss, beta) = self.trained_by(ae)?;
            more.latent = Some(Latent::of(ae, test, loss, beta, self.seed)?);
            more.likelihood = self.nll.map(|draws| Likelihood::of(ae, test, (loss, beta), draws, self.seed)).transpose()?;
        }
        Ok(more)
    }

    /// The loss and the weight of the divergence that the network was trained by. Of a network that is in no folder of
    /// a run, those that are usual for its output.
    fn trained_by(&self, ae: &Autoencoder) -> Result<(Loss, f32)> {
        let run = run_of(self.model.path()).map(Settings::read).transpose()?;
        let usual = if ae.output() == Output::Sigmoid { Loss::Bce } else { Loss::Mse };
        Ok(run.map_or((usual, 1.0), |settings| (settings.fit.loss, settings.fit.beta)))
    }
}

impl More {
    fn after(&self, first: &dyn Display) -> String {
        let jacobian = self.jacobian.map(|norm| format!("squared norm of the code's Jacobian, mean over rows: {norm:.5}"));
        let all: [Option<&dyn Display>; 7] = [
            Some(first),
            self.noise.as_ref().map(|part| part as _),
            self.activity.as_ref().map(|part| part as _),
            self.latent.as_ref().map(|part| part as _),
            self.likelihood.as_ref().map(|part| part as _),
            jacobian.as_ref().map(|part| part as _),
            self.detection.as_ref().map(|part| part as _),
        ];
        all.into_iter().flatten().map(|part| part.to_string()).collect::<Vec<_>>().join("\n")
    }

    fn put_into(&self, mut document: Value) -> Value {
        if let Some(noise) = &self.noise {
            let quality =
                |q: &narrows::tasks::Quality| json!({ "mse": q.mse, "psnr_of_rows": q.psnr_of_rows, "psnr_of_mean": q.psnr_of_mean });
            document["noise"] = json!({
                "noise": noise.noise.to_string(), "noisy": quality(&noise.noisy), "denoised": quality(&noise.denoised),
            });
        }
        if let Some(activity) = &self.activity {
            document["activity"] = json!({
                "on": activity.on, "dead": activity.dead(), "units": activity.shares.len(),
                "explained_variance": activity.explained_variance,
            });
        }
        if let Some(latent) = &self.latent {
            let whole = |error: f64| error + f64::from(latent.beta) * latent.divergence();
            document["latent"] = json!({
                "loss": whole(latent.drawn), "loss_of_means": whole(latent.with_means), "reconstruction": latent.drawn,
                "reconstruction_of_means": latent.with_means, "kl": latent.divergence(), "beta": latent.beta,
                "active": latent.active(), "units": latent.divergences, "variances": latent.variances,
            });
        }
        if let Some(likelihood) = &self.likelihood {
            document["log_likelihood"] = json!({
                "mean": likelihood.log_likelihood, "standard_error": likelihood.standard_error, "draws": likelihood.draws,
                "model": likelihood.model.to_string(),
            });
        }
        if let Some(norm) = self.jacobian {
            document["jacobian"] = json!(norm);
        }
        if let Some(found) = &self.detection {
            document["anomalies"] = json!({
                "rows": found.rows, "anomalies": found.anomalies, "auroc": found.auroc,
                "average_precision": found.average_precision, "precision_at_n": found.precision_at_n,
            });
        }
        document
    }
}
