//! `narrows train`

use super::flags::{DataFlags, FitFlags, ModelFlags};
use super::input::{Columns, Reading, check_rows};
use super::settings::{self, Settings};
use super::signals::Signals;
use super::{Common, Failure, print, run_of};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use narrows::data::{Dataset, Split, Values};
use narrows::nn::Output;
use narrows::report::About;
use narrows::train::{Checkpoint, Ended, Epoch};
use narrows::{Autoencoder, Error, Fit, History, Result, report};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files of a run directory: none of them may exist when a new run begins.
const WRITTEN: [&str; 10] = [
    settings::FILE,
    CHECKPOINTS,
    "metrics.csv",
    "model.safetensors",
    "run.json",
    "report.html",
    "reconstruction.png",
    "weights.png",
    "loss.svg",
    "errors.svg",
];
/// The folder of checkpoints in a run directory.
const CHECKPOINTS: &str = "checkpoints";

#[derive(Args)]
#[command(
    mut_arg("device", |arg| arg.help("auto, cpu, cuda[:N] or wgpu[:N]. [default: auto; with --resume or --config that of the run]")),
    mut_arg("threads", |arg| arg.help("Threads of the CPU device. [default: one per core; with --resume or --config as in the run]"))
)]
pub(super) struct Train {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    fit: FitFlags,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    columns: Columns,
    /// Repeats a run from its config.toml, or from its folder. Other flags override it; with other data, scale and how
    /// they are read are not taken from it, and with another output the scale is not.
    #[arg(long, value_name = "FILE|DIR")]
    config: Option<PathBuf>,
    /// Prints one JSON document instead of a path.
    #[arg(long)]
    json: bool,
    /// Folder for the results; it must not hold those of another run. [default: runs/NAME-NNN]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resumes the run in that folder, with its config.toml, as if it had never stopped. More --epochs train longer.
    /// --patience and where it runs may change as well, and --data if the same rows lie elsewhere now.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "out"])]
    resume: Option<PathBuf>,
}

impl Train {
    pub(super) fn run(&self, signals: &Signals) -> std::result::Result<(), Failure> {
        let say = |text: std::fmt::Arguments| self.common.say(text);
        let mut settings = match &self.resume {
            Some(folder) => Settings::resumed(folder, &self.model, &self.fit, &self.data, &self.reading, &self.columns)?,
            None => Settings::new(self.config.as_deref(), &self.model, &self.fit, &self.data, &self.reading, &self.columns)?,
        };
        let device = settings.open(&self.common)?;
        let mut fit = Fit::from(settings.fit.clone());
        let split = settings.data.open(None)?;
        self.common.note(&split.notes());
        // A new run may be of rows that have changed, but not of others that chance to have their name.
        let moved = self.config.as_deref().and_then(run_of).filter(|_| settings.data.moved);
        if let (Some(folder), None) = (self.resume.as_deref().or(moved), self.data.name()) {
            check_rows(folder, &split, settings.data().as_ref())?;
        }
        if self.resume.is_none() && self.data.says_nothing_of_validation() {
            settings.validate_for_patience(&split);
        }
        let (train, validation) = settings.hold_out(&split)?;
        self.check_patience(&settings, validation.is_some())?;
        let test = &split.test;
        let synthetic = if train.is_synthetic() { ", synthetic" } else { "" };
        let held = validation.as_ref().map(|v| format!(", {} to validate", v.len())).unwrap_or_default();
        say(format_args!(
            "data {}{synthetic}: {} rows of {} to train on{held}, {} to test",
            train.name(),
            train.len(),
            train.columns(),
            test.len()
        ));
        let builder = settings.model.clone().inputs(train.columns()).seed(settings.fit.seed);
        let mut ae = builder.build(&device)?;
        if let Some(schema) = train.schema() {
            ae = ae.with_schema(schema.clone())?;
        }
        if let Some(scaler) = settings.scaler(&train, ae.output())? {
            ae = ae.with_scaler(scaler)?;
            say(format_args!("each column is scaled by its values in the training rows; errors are of scaled rows"));
        }
        self.warn_of_range(&ae, &train)?;
        let (folder, begun) = match &self.resume {
            Some(folder) => (folder.clone(), Begun::again(folder)?),
            None => self.folder(&settings)?,
        };
        let (resume, done) = self.begin(&settings, &folder)?;
        if self.resume.is_none() || Settings::read(&folder)? != settings {
            settings.write(&folder).inspect_err(|_| begun.undo(&folder))?;
        }
        if let Some(rows) = &validation {
            fit = fit.validate(rows);
        }
        let fit = fit.test(test).checkpoints(folder.join(CHECKPOINTS)).resume(resume).interrupt(signals.gently());
        let bar = self.bar(settings.fit.epochs, done);
        let history = ae.fit_with(&train, &fit, |e| {
            let text = line(e);
            match &bar {
                Some(bar) => {
                    bar.set_message(text);
                    bar.inc(1);
                }
                None => say(format_args!("epoch {:>3}/{}: {text}", e.epoch, settings.fit.epochs)),
            }
        });
        if let Some(bar) = &bar {
            bar.finish();
        }
        let history = history.inspect_err(|_| begun.undo(&folder)).map_err(other_rows)?;
        report::metrics(&folder.join("metrics.csv"), &history.epochs)?;
        ae.save(folder.join("model.safetensors"))?;
        let last = history.epochs.last().map_or(0, |last| last.epoch);
        let best = history.best.filter(|_| settings.fit.patience.is_some());
        let stopped = (history.ended == Ended::Interrupted).then_some(best.unwrap_or(last));
        if settings.run.stopped != stopped {
            settings.run.stopped = stopped;
            settings.write(&folder)?;
        }
        if stopped.is_some() {
            say(format_args!("stopped by a signal; all is saved. Go on with: narrows train --resume {}", folder.display()));
            return Err(Failure::Signal(signals.code()));
        }
        signals.end_at_once();
        self.summary(&history);
        let error = ae.evaluate(test)?;
        say(format_args!("test error {error:.5} per element; model and metrics in {}", folder.display()));
        Ok(self.report(&ae, &split, &settings, &history, &folder, error)?)
    }

    /// Whether a run goes on, and the epochs that are done.
    fn begin(&self, settings: &Settings, folder: &Path) -> Result<(bool, usize)> {
        if self.resume.is_none() {
            return Ok((false, 0));
        }
        report::sweep(folder);
        // A run that was killed before its first checkpoint begins again.
        if is_new(folder) {
            self.common.say(format_args!("no checkpoint in {} yet: beginning again", folder.display()));
            return Ok((false, 0));
        }
        let (path, checkpoint) = Checkpoint::newest(folder.join(CHECKPOINTS))?;
        let (done, epochs) = (checkpoint.epochs(), settings.fit.epochs);
        if epochs < done {
            return Err(Error::Argument {
                name: "epochs".into(),
                problem: format!("it is {epochs}, and {done} are done"),
                remedy: "Ask for at least as many: --epochs.".into(),
            });
        }
        self.common.say(format_args!("resuming from {}: {done} epochs, {} steps", path.display(), checkpoint.step()));
        Ok((true, done))
    }

    /// Rejects patience without rows to measure it on: --resume takes no flag that would name some.
    fn check_patience(&self, settings: &Settings, validates: bool) -> Result<()> {
        if settings.fit.patience.is_none() || validates {
            return Ok(());
        }
        Err(Error::Argument {
            name: "patience".into(),
            problem: "there are no validation rows to measure the error on".into(),
            remedy: match &self.resume {
                Some(folder) => format!(
                    "This run was begun without any: leave --patience out, take `patience` out of {}, or begin another with --validation FRACTION.",
                    folder.join(settings::FILE).display()
                ),
                None => "Add --validation FRACTION, or leave patience out: --patience none.".into(),
            },
        })
    }

    /// Warns of numbers that a sigmoid can't give: they are not an error, but probably a mistake.
    fn warn_of_range(&self, ae: &Autoencoder, train: &Dataset) -> Result<()> {
        if ae.output() == Output::Linear || matches!(train.values(), Values::Bytes(_)) {
            return Ok(());
        }
        let rows = ae.scaled(train)?;
        if let Values::Floats(values) = rows.values()
            && let Some(value) = values.iter().find(|v| !(0.0..=1.0).contains(*v))
        {
            self.common.say(format_args!(
                "the final sigmoid gives numbers from 0 to 1, but the data contains {value}: use --output linear, or --scale minmax"
            ));
        }
        Ok(())
    }

    fn summary(&self, history: &History) {
        let seconds: f64 = history.epochs.iter().map(|e| e.seconds).sum();
        let (epochs, best) = (history.epochs.len(), history.best.unwrap_or_default());
        self.common.say(match history.ended {
            Ended::Patience => {
                format!("trained in {seconds:.2} s; patience ended it after epoch {epochs}, and the weights are those of epoch {best}")
            }
            _ => format!("trained in {seconds:.2} s"),
        });
    }

    /// Writes the pictures and the page, and prints the path of the picture, or of the page if the rows are not images.
    fn report(&self, ae: &Autoencoder, split: &Split, settings: &Settings, history: &History, folder: &Path, error: f64) -> Result<()> {
        let seconds: f64 = history.epochs.iter().map(|e| e.seconds).sum();
        let mut about = About::new(ae.device(), settings.data(), &command(folder), seconds);
        for (name, value) in settings.shown() {
            about = about.setting(&name, value);
        }
        about.config = Some(settings.text()?);
        let written = report::run(folder, ae, split, &about)?;
        self.common.note(&written.absent);
        self.common.say(format_args!("report in {}", written.page.display()));
        if !self.json {
            return print(written.picture.unwrap_or(written.page).display());
        }
        let epochs: Vec<_> = history
            .epochs
            .iter()
            .map(|e| {
                serde_json::json!({
                    "epoch": e.epoch, "train_loss": e.train_loss, "test_loss": e.test_loss, "validation_loss": e.validation_loss,
                    "seconds": e.seconds, "steps": e.steps, "learning_rate": e.learning_rate,
                    "losses": e.losses.iter().cloned().collect::<BTreeMap<_, _>>(),
                })
            })
            .collect();
        print(serde_json::json!({
            "folder": text(folder), "model": text(&folder.join("model.safetensors")),
            "report": text(&written.page), "picture": written.picture.as_deref().map(text), "absent": written.absent,
            "device": ae.device().id(), "data": settings.data(), "synthetic": split.train.is_synthetic(), "ended": match history.ended {
                Ended::Patience => "patience",
                Ended::Stopped | Ended::Interrupted => "stopped",
                Ended::Complete => "complete",
            },
            "best_epoch": history.best, "test_mse": error, "epochs": epochs,
        }))
    }

    /// A progress bar on a terminal that can move its cursor; elsewhere a line per epoch is printed.
    fn bar(&self, epochs: usize, done: usize) -> Option<ProgressBar> {
        let bar = ProgressBar::new(epochs as u64).with_position(done as u64);
        if self.common.quiet || bar.is_hidden() {
            return None;
        }
        if let Ok(style) = ProgressStyle::with_template("epoch {pos:>3}/{len} {bar:30} {msg}, {eta} left") {
            bar.set_style(style);
        }
        bar.tick();
        Some(bar)
    }

    /// The folder for the results, free of another run's, and what had to be made for it.
    fn folder(&self, settings: &Settings) -> Result<(PathBuf, Begun)> {
        let failed = |path: &Path, source| Error::Io { path: path.to_path_buf(), action: "making the folder for the results", source };
        let missing = |folder: &Path| -> Vec<PathBuf> {
            let mut missing: Vec<_> =
                folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).map(Path::to_path_buf).collect();
            missing.reverse();
            missing
        };
        if let Some(folder) = &self.out {
            let made = missing(folder);
            fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
            if let Some(file) = WRITTEN.iter().find(|f| folder.join(f).exists()) {
                return Err(Error::Argument {
                    name: "--out".into(),
                    problem: format!("{} already holds a {file}", folder.display()),
                    remedy: "Name another folder, move the old results away, or go on with that run: --resume.".into(),
                });
            }
            return Ok((folder.clone(), Begun::New(made)));
        }
        let name = Path::new(settings.data()).file_name().unwrap_or("data".as_ref()).to_string_lossy();
        let mut made = missing(Path::new("runs"));
        fs::create_dir_all("runs").map_err(|e| failed(Path::new("runs"), e))?;
        let mut number = 1;
        loop {
            let folder = Path::new("runs").join(format!("{name}-{number:03}"));
            match fs::create_dir(&folder) {
                Ok(()) => {
                    made.push(folder.clone());
                    return Ok((folder, Begun::New(made)));
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(&folder, e)),
            }
        }
    }
}

/// What was there before a training began, which it leaves as it was if it fails before its first step.
enum Begun {
    /// The folders that had to be made for its results, outermost first.
    New(Vec<PathBuf>),
    /// A run that goes on: the text of its settings, and the step of its checkpoint, if it has one.
    Again(Vec<u8>, Option<u32>),
}

impl Begun {
    fn again(folder: &Path) -> Result<Begun> {
        let path = folder.join(settings::FILE);
        let text = fs::read(&path).map_err(|source| Error::Io { path, action: "reading the settings", source })?;
        Ok(Begun::Again(text, step(folder)))
    }

    fn undo(&self, folder: &Path) {
        let config = folder.join(settings::FILE);
        match self {
            Begun::New(made) if step(folder).is_none() => {
                let _ = fs::remove_dir(folder.join(CHECKPOINTS));
                let _ = fs::remove_file(config);
                made.iter().rev().for_each(|made| drop(fs::remove_dir(made)));
            }
            // What stopped the training is said; that this failed as well would add nothing.
            Begun::Again(text, at) if step(folder) == *at => drop(report::write(&config, text)),
            _ => {}
        }
    }
}

/// The step of the newest checkpoint of a run.
fn step(folder: &Path) -> Option<u32> {
    Checkpoint::newest(folder.join(CHECKPOINTS)).ok().map(|(_, checkpoint)| checkpoint.step())
}

/// A path in a document.
fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Whether nothing was trained in the folder of a run yet.
fn is_new(folder: &Path) -> bool {
    let trained = ["checkpoints/last.safetensors", "checkpoints/last.previous.safetensors", "metrics.csv", "model.safetensors"];
    !trained.iter().any(|file| folder.join(file).exists())
}

/// The error for a checkpoint of other rows, with what settles the rows in place of two hashes.
fn other_rows(e: Error) -> Error {
    match e {
        Error::Data { path, problem, .. } if problem.contains("its data is ") || problem.contains("its validation data is ") => {
            Error::Data {
                path,
                problem: "it is of another training: these are not the rows that it began with".into(),
                remedy: "Resume with the same data; of config.toml, name, scale, validation and [data.reading] change the rows.".into(),
            }
        }
        e => e,
    }
}

/// The command that repeats a run, quoted for a shell. The run's own flags would not: after --resume or --config they
/// are not all there is, and --out names a folder that now exists.
fn command(folder: &Path) -> String {
    let config = folder.join(settings::FILE).display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    let quoted = if config.chars().all(plain) { config } else { format!("'{}'", config.replace('\'', "'\\''")) };
    format!("narrows train --config {quoted}")
}

/// An epoch in words.
fn line(e: &Epoch) -> String {
    let part = |name: &str, loss: Option<f64>| loss.map(|l| format!(", {name} {l:.5}")).unwrap_or_default();
    format!("loss {:.5}{}{}, {:.2} s", e.train_loss, part("validation", e.validation_loss), part("test", e.test_loss), e.seconds)
}
