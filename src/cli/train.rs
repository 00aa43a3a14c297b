//! `narrows train`

use super::common::{Common, Failure, counted, print};
use super::flags::{DataFlags, FitFlags, ModelFlags};
use super::input::{Columns, Reading, check_rows};
use super::progress::Progress;
use super::settings::{self, Flags, Settings, run_of};
use super::signals::Signals;
use clap::Args;
use narrows::data::{Bounds, Dataset, Split, Values};
use narrows::nn::{Ensemble, Output, Quantiles, Typical};
use narrows::report::{About, Written};
use narrows::train::{Checkpoint, Ended};
use narrows::{Autoencoder, Device, Error, Fit, History, Loss, Result, report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

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
/// What failed where there is no folder for the results.
const MAKING: &str = "making the folder for the results";
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
    /// Trains this many networks from seeds that count up from --seed, into one file: `score` and `eval --anomaly` use
    /// them together, by the mean share of each one's training scores below a row's; other verbs use the first.
    #[arg(long, value_name = "N")]
    ensemble: Option<usize>,
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
        self.check_out()?;
        let Train { model, fit, data, reading, columns, .. } = self;
        let flags = Flags { model, fit, data, reading, columns };
        let mut settings = match &self.resume {
            Some(folder) => Settings::resumed(folder, &flags)?,
            None => Settings::new(self.config.as_deref(), &flags)?,
        };
        self.members(&mut settings)?;
        let device = settings.open(&self.common)?;
        let split = settings.data.open(None)?;
        self.common.note(&split.notes());
        // A new run may be of rows that have changed, but not of others that chance to have their name.
        let moved = self.config.as_deref().and_then(run_of).filter(|_| settings.data.moved);
        if let (Some(folder), None) = (self.resume.as_deref().or(moved), self.data.name()) {
            check_rows(folder, &split, settings.data().as_ref())?;
        }
        if self.resume.is_none() {
            settings.complete(&split)?;
        }
        let (train, validation) = settings.data.hold_out(&split)?;
        self.check_patience(&settings, validation.is_some())?;
        self.announce_rows(&train, validation.as_ref(), &split.test);
        let ae = self.network(&mut settings, &train, &device)?;
        self.announce_training(&settings, &ae, train.len());
        self.warn_of_range(&ae, &train)?;
        self.warn_of_clamping(&ae, settings.fit.loss, [validation.as_ref(), Some(&split.test)])?;
        let (folder, begun) = match &self.resume {
            Some(folder) => (folder.clone(), Begun::again(folder)?),
            None => self.folder(&settings)?,
        };
        let (resume, done) = self.begin(&settings, &folder)?;
        if self.resume.is_none() || Settings::read(&folder)? != settings {
            settings.write(&folder).inspect_err(|_| begun.undo(&folder))?;
        }
        let steps = Arc::new(AtomicUsize::new(done));
        let mut fit = Fit::from(settings.fit.clone()).test(&split.test).checkpoints(folder.join(CHECKPOINTS)).resume(resume);
        if let Some(rows) = &validation {
            fit = fit.validate(rows);
        }
        let fit = fit.interrupt(signals.gently()).count_steps(steps.clone());
        let say = |text: &dyn Display| self.common.say(text);
        let per_epoch = train.len().div_ceil(settings.fit.batch_size.max(1));
        let progress = Progress::new(&say, self.common.quiet, settings.fit.epochs, per_epoch, steps);
        let history = progress.during(|| ae.fit_with(&train, &fit, |e| progress.epoch(e)));
        progress.finish();
        let history = history.inspect_err(|_| begun.undo(&folder)).map_err(other_rows)?;
        report::metrics(&folder.join("metrics.csv"), &history.epochs)?;
        let judged = validation.as_ref().unwrap_or(&train);
        let ae = with_scores(ae, judged)?;
        let model = folder.join("model.safetensors");
        // Of an ensemble this is replaced when all its networks are there.
        ae.save(&model)?;
        if self.is_stopped(&mut settings, &history, &folder)? {
            return Err(Failure::Signal(signals.code()));
        }
        if settings.run.ensemble.is_some() {
            let Some(others) = self.others(&settings, [&train, judged], &ae, &folder, signals)? else {
                return Err(Failure::Signal(signals.code()));
            };
            let ensemble = Ensemble::of(std::iter::once(ae.clone()).chain(others).collect())?;
            let scores = Quantiles::of(&ensemble.score(judged)?)?;
            ensemble.with_quantiles(scores).save(&model)?;
        }
        signals.end_at_once();
        self.summary(&history, settings.fit.patience.is_some());
        Ok(self.report(&ae, &split, &settings, &history, &folder)?)
    }

    /// How many networks are trained: a run that goes on has those that it began with.
    fn members(&self, settings: &mut Settings) -> Result<()> {
        let refuse = |problem: String, remedy: &str| Err(Error::Argument { name: "--ensemble".into(), problem, remedy: remedy.into() });
        let Some(count) = self.ensemble else { return Ok(()) };
        let now = Some(count).filter(|&count| count > 1);
        match (count, self.resume.is_some() && now != settings.run.ensemble) {
            (0, _) => refuse("it has no networks".into(), "Name at least 2."),
            (_, true) => {
                let was = settings.run.ensemble.unwrap_or(1);
                refuse(format!("this run has {}", counted(was, "network")), "Leave it out, or begin another run.")
            }
            _ => {
                settings.run.ensemble = now;
                Ok(())
            }
        }
    }

    /// Trains the other networks of an ensemble, each with checkpoints of its own; none if a signal ended it.
    fn others(
        &self,
        settings: &Settings,
        [train, judged]: [&Dataset; 2],
        first: &Autoencoder,
        folder: &Path,
        signals: &Signals,
    ) -> Result<Option<Vec<Autoencoder>>> {
        let count = settings.run.ensemble.unwrap_or(1);
        let mut others = Vec::new();
        for member in 1..count {
            let seed = settings.fit.seed.wrapping_add(member as u64);
            let ae = Autoencoder::new(first.spec().clone(), seed, first.device())?;
            let checkpoints = folder.join(CHECKPOINTS).join(member.to_string());
            let begun = checkpoints.join("last.safetensors").exists() || checkpoints.join("last.previous.safetensors").exists();
            let fit = Fit::from(settings.fit.clone()).seed(seed).checkpoints(&checkpoints).resume(begun).interrupt(signals.gently());
            let fit = if std::ptr::eq(train, judged) { fit } else { fit.validate(judged) };
            let history = ae.fit(train, &fit).map_err(other_rows)?;
            if history.ended == Ended::Interrupted {
                let run = folder.display();
                self.common.say(format_args!(
                    "stopped by a signal in network {} of {count}; the model is the first alone. Go on with: narrows train --resume {run}",
                    member + 1
                ));
                return Ok(None);
            }
            report::metrics(&folder.join(format!("metrics.{member}.csv")), &history.epochs)?;
            self.common.say(format_args!("network {} of {count} is trained", member + 1));
            others.push(with_scores(ae, judged)?);
        }
        Ok(Some(others))
    }

    /// Whether a signal ended the training: its settings then say of which epoch the model is.
    fn is_stopped(&self, settings: &mut Settings, history: &History, folder: &Path) -> Result<bool> {
        let last = history.epochs.last().map_or(0, |last| last.epoch);
        let best = history.best.filter(|_| settings.fit.patience.is_some());
        let stopped = (history.ended == Ended::Interrupted).then_some(best.unwrap_or(last));
        if settings.run.stopped != stopped {
            settings.run.stopped = stopped;
            settings.write(folder)?;
        }
        if stopped.is_some() {
            self.common.say(format_args!("stopped by a signal; all is saved. Go on with: narrows train --resume {}", folder.display()));
        }
        Ok(stopped.is_some())
    }

    fn announce_rows(&self, train: &Dataset, validation: Option<&Dataset>, test: &Dataset) {
        let synthetic = if train.is_synthetic() { ", synthetic" } else { "" };
        let held = validation.map(|rows| format!(", {} to validate", rows.len())).unwrap_or_default();
        self.common.say(format_args!(
            "data {}{synthetic}: {} of {} to train on{held}, {} to test",
            train.name(),
            counted(train.len(), "row"),
            train.columns(),
            test.len()
        ));
    }

    /// The untrained network, with what it keeps of the rows: their bounds, their columns and their scaling.
    fn network(&self, settings: &mut Settings, train: &Dataset, device: &Device) -> Result<Autoencoder> {
        let ae = settings.model.clone().inputs(train.columns()).seed(settings.fit.seed).build(device);
        let ae = ae.map_err(|e| too_wide(e, settings, train))?;
        let mut ae = ae.with_bounds(Bounds::of(train)?)?;
        if let Some(dims) = train.image_dims() {
            ae = ae.with_image_dims(dims)?;
        }
        if let Some(schema) = train.schema() {
            ae = ae.with_schema(schema.clone())?;
        }
        let Some(scaler) = settings.scaler(train, ae.output())? else { return Ok(ae) };
        self.common.say("each column is scaled by its values in the training rows; errors are of scaled rows");
        ae.with_scaler(scaler)
    }

    /// Says what is trained and for how long, and what of the widths may surprise.
    fn announce_training(&self, settings: &Settings, ae: &Autoencoder, rows: usize) {
        let say = |text: std::fmt::Arguments| self.common.say(text);
        let widths = ae.widths().iter().map(usize::to_string).collect::<Vec<_>>().join("-");
        let (inputs, code) = (ae.inputs(), ae.code_width());
        if settings.said.row.is_none() && ae.widths().len() > 2 && ae.widths()[1] == inputs && settings.said.layers {
            let meant = widths.split_once('-').map_or("", |(_, layers)| layers);
            say(format_args!("--layers begins behind the rows, so there are two widths of {inputs}; for one: --layers {meant}"));
        }
        if code >= inputs {
            say(format_args!("a code of {code} for rows of {inputs} narrows nothing: the network can learn to copy"));
        }
        let fit = &settings.fit;
        let steps = rows.div_ceil(fit.batch_size.max(1));
        let all = fit.epochs.saturating_mul(steps);
        let early = fit.patience.map(|n| format!(", or until {n} evaluations in a row bring nothing")).unwrap_or_default();
        let often = if fit.evaluate_every > 1 { format!(", an evaluation every {}", fit.evaluate_every) } else { String::new() };
        let (all, epochs) = (counted(all, "step"), counted(fit.epochs, "epoch"));
        say(format_args!("training {widths} and back for {all}: {epochs} of {steps}{often}{early}"));
    }

    /// Whether a run goes on, and the steps that are done.
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
        let steps = checkpoint.step();
        let (epochs, all) = (counted(done, "epoch"), counted(steps as usize, "step"));
        self.common.say(format_args!("resuming from {}: {epochs}, {all}", path.display()));
        Ok((true, steps as usize))
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

    /// Says that cross-entropy takes numbers outside of [0, 1] for the nearest one inside.
    fn warn_of_clamping(&self, ae: &Autoencoder, loss: Loss, parts: [Option<&Dataset>; 2]) -> Result<()> {
        if loss != Loss::Bce {
            return Ok(());
        }
        for rows in parts.into_iter().flatten() {
            let scaled = ae.scaled(rows)?;
            let Values::Floats(values) = scaled.values() else { continue };
            let outside = values.iter().filter(|x| !(0.0..=1.0).contains(*x)).count();
            if outside > 0 {
                let (all, name) = (values.len(), rows.name());
                self.common
                    .say(format_args!("{name}: {outside} of {all} values lie outside [0, 1]; cross-entropy takes the nearest inside"));
            }
        }
        Ok(())
    }

    fn summary(&self, history: &History, restores: bool) {
        let seconds: f64 = history.epochs.iter().map(|e| e.seconds).sum();
        let last = history.epochs.last().map_or(0, |e| e.epoch);
        let ended = if history.ended == Ended::Patience { format!("; patience ended it after epoch {last}") } else { String::new() };
        let best = history.best.filter(|best| restores && *best != last);
        let best = best.map(|best| format!("; the weights are those of epoch {best}")).unwrap_or_default();
        self.common.say(format_args!("trained in {seconds:.2} s{ended}{best}"));
    }

    /// Writes the pictures and the page, says what has come of it, and prints the path of the picture, or of the page
    /// if the rows are not images.
    fn report(&self, ae: &Autoencoder, split: &Split, settings: &Settings, history: &History, folder: &Path) -> Result<()> {
        let seconds: f64 = history.epochs.iter().map(|e| e.seconds).sum();
        let mut about = About::new(ae.device(), settings.data(), &command(folder), seconds);
        for (name, value) in settings.shown() {
            about = about.setting(&name, value);
        }
        about.config = Some(settings.text()?);
        self.common.say("measuring it and drawing its page");
        let written = report::run(folder, ae, split, &about)?;
        self.common.note(&written.absent);
        self.conclude(&written, folder);
        match self.json {
            true => print(document(ae, split, settings, history, folder, &written)),
            false => print(written.picture.unwrap_or(written.page).display()),
        }
    }

    /// The last lines: where everything is, what it is worth, and what to try next.
    fn conclude(&self, written: &Written, folder: &Path) {
        let verdict = &written.verdict;
        self.common.say(format_args!("model, metrics and report.html in {}", folder.display()));
        if let Some(dead) = verdict.dead() {
            self.common.say(format_args!("units that no training row makes fire: {dead}"));
        }
        self.common.say(verdict);
        if !verdict.advice.is_empty() {
            self.common.say(format_args!("try next: {}", verdict.advice.join(", or ")));
        }
    }

    /// Rejects a folder for the results where those of another run are, or that can't be made.
    fn check_out(&self) -> Result<()> {
        let Some(folder) = &self.out else { return Ok(()) };
        if let Some(file) = WRITTEN.iter().find(|f| folder.join(f).exists()) {
            return Err(Error::Argument {
                name: "--out".into(),
                problem: format!("{} already holds a {file}", folder.display()),
                remedy: "Name another folder, move the old results away, or go on with that run: --resume.".into(),
            });
        }
        match folder.ancestors().find(|path| path.exists()) {
            Some(path) if !path.is_dir() => {
                let source = io::Error::new(ErrorKind::NotADirectory, format!("`{}` is a file", path.display()));
                Err(Error::Io { path: folder.clone(), action: MAKING, source })
            }
            _ => Ok(()),
        }
    }

    /// The folder for the results, free of another run's, and what had to be made for it.
    fn folder(&self, settings: &Settings) -> Result<(PathBuf, Begun)> {
        let failed = |path: &Path, source| Error::Io { path: path.to_path_buf(), action: MAKING, source };
        let missing = |folder: &Path| -> Vec<PathBuf> {
            let mut missing: Vec<_> =
                folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).map(Path::to_path_buf).collect();
            missing.reverse();
            missing
        };
        if let Some(folder) = &self.out {
            let made = missing(folder);
            fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
            // Another run may have begun there while the rows were read.
            self.check_out()?;
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

/// The network that knows the scores of some rows, and what is typical of them where its code is not too wide for that.
fn with_scores(ae: Autoencoder, rows: &Dataset) -> Result<Autoencoder> {
    let scores = Quantiles::of(&ae.score(rows)?)?;
    let ae = ae.with_quantiles(scores);
    match Typical::of(&ae, rows) {
        Ok(typical) => ae.with_typical(typical),
        Err(Error::Argument { .. }) => Ok(ae),
        Err(e) => Err(e),
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

/// The training and what has come of it, as JSON.
fn document(ae: &Autoencoder, split: &Split, settings: &Settings, history: &History, folder: &Path, written: &Written) -> Value {
    let epochs = history.epochs.iter().map(|e| {
        json!({
            "epoch": e.epoch, "train_loss": e.train_loss, "test_loss": e.test_loss, "validation_loss": e.validation_loss,
            "seconds": e.seconds, "steps": e.steps, "learning_rate": e.learning_rate,
            "losses": e.losses.iter().cloned().collect::<BTreeMap<_, _>>(),
        })
    });
    let ended = match history.ended {
        Ended::Patience => "patience",
        Ended::Stopped | Ended::Interrupted => "stopped",
        Ended::Complete => "complete",
    };
    let verdict = &written.verdict;
    let dead = verdict.dead_units.iter().map(|layer| json!({ "layer": layer.layer, "dead": layer.dead, "units": layer.units }));
    json!({
        "folder": text(folder), "model": text(&folder.join("model.safetensors")), "report": text(&written.page),
        "picture": written.picture.as_deref().map(text), "absent": written.absent,
        "device": ae.device().id(), "data": settings.data(), "synthetic": split.train.is_synthetic(), "ended": ended,
        "best_epoch": history.best, "test_mse": verdict.error, "mean_mse": verdict.mean, "pca_mse": verdict.components,
        "collapsed": verdict.collapsed, "dead_units": dead.collect::<Vec<_>>(), "outside": verdict.outside,
        "epochs": epochs.collect::<Vec<_>>(),
    })
}

/// Whether nothing was trained in the folder of a run yet.
fn is_new(folder: &Path) -> bool {
    let trained = ["checkpoints/last.safetensors", "checkpoints/last.previous.safetensors", "metrics.csv", "model.safetensors"];
    !trained.iter().any(|file| folder.join(file).exists())
}

/// Images with more numbers than this may be too wide for a layer.
const WIDE: usize = 1 << 20;

/// The error for images that make rows too wide for the layers: another size is the way out.
fn too_wide(e: Error, settings: &Settings, train: &Dataset) -> Error {
    let wide = train.columns() > WIDE;
    match (e, train.image_dims()) {
        (Error::Argument { name, problem, .. }, Some([channels, height, width])) if wide && (name == "shape" || name == "widths") => {
            Error::Data {
                path: settings.data().into(),
                problem: format!("images of {channels}x{height}x{width} make rows that are too wide for these layers ({name}: {problem})"),
                remedy: "Name a smaller size for them: --image-size HxW, such as 128x128.".into(),
            }
        }
        (e, _) => e,
    }
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
