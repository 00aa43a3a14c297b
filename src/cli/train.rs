//! `narrows train`

use super::{Common, print};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use narrows::data::{self, Split};
use narrows::report::About;
use narrows::{Autoencoder, Error, Fit, Result, report};
use std::fs;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Train {
    #[command(flatten)]
    common: Common,
    /// builtin, or a folder with the four IDX files of MNIST, gzipped or not.
    #[arg(long, default_value = "builtin", value_name = "builtin|PATH")]
    data: String,
    /// Widths from the first layer to the code; the decoder has them in reverse.
    #[arg(long, default_value = "128,64,32", value_delimiter = ',', value_name = "N,N,..")]
    layers: Vec<usize>,
    /// Passes over the training rows.
    #[arg(long, default_value_t = 10, value_name = "N")]
    epochs: usize,
    /// Rows in a step.
    #[arg(long, default_value_t = 128, value_name = "N")]
    batch_size: usize,
    /// Adam's learning rate.
    #[arg(long, default_value_t = 1e-3, value_name = "X", allow_negative_numbers = true)]
    lr: f64,
    /// Seed of the initial weights and of the order of the rows.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Folder for the results; it may not hold those of another run. [default: runs/NAME-NNN]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Train {
    pub(super) fn run(&self) -> Result<()> {
        let say = |text: std::fmt::Arguments| self.common.say(text);
        let device = self.common.open()?;
        let split = data::open(&self.data)?;
        let (train, test) = (&split.train, &split.test);
        let synthetic = if train.is_synthetic() { ", synthetic" } else { "" };
        say(format_args!(
            "data {}{synthetic}: {} rows of {} to train on, {} to test",
            train.name(),
            train.len(),
            train.columns(),
            test.len()
        ));
        let [hidden @ .., code] = self.layers.as_slice() else {
            return Err(Error::Argument {
                name: "layers".into(),
                problem: "there are none".into(),
                remedy: "Name at least the code's width.".into(),
            });
        };
        let ae = Autoencoder::builder(train.columns()).hidden(hidden).code(*code).seed(self.seed).build(&device)?;
        let folder = self.folder()?;

        let bar = self.bar();
        let fit = Fit::default().epochs(self.epochs).batch_size(self.batch_size).learning_rate(self.lr).seed(self.seed).test(test);
        let history = ae.fit_with(train, &fit, |e| {
            let test = e.test_loss.map(|l| format!(", test {l:.5}")).unwrap_or_default();
            let text = format!("loss {:.5}{test}, {:.2} s", e.train_loss, e.seconds);
            match &bar {
                Some(bar) => {
                    bar.set_message(text);
                    bar.inc(1);
                }
                None => say(format_args!("epoch {:>3}/{}: {text}", e.epoch, self.epochs)),
            }
        });
        if let Some(bar) = &bar {
            bar.finish();
        }
        let history = history.inspect_err(|_| {
            // Nothing was written, so the folder goes again; one that holds something stays.
            let _ = fs::remove_dir(&folder).and_then(|()| if self.out.is_none() { fs::remove_dir("runs") } else { Ok(()) });
        })?;
        ae.save(folder.join("model.safetensors"))?;
        report::metrics(&folder.join("metrics.csv"), &history.epochs)?;
        let seconds: f64 = history.epochs.iter().map(|e| e.seconds).sum();
        say(format_args!("trained in {seconds:.2} s; test error {:.5} per pixel", ae.evaluate(test)?));
        say(format_args!("model and metrics in {}", folder.display()));
        self.report(&ae, &split, &folder, seconds)
    }

    /// Writes the pictures and the page, and prints the path of the picture, or of the page where the rows are no images.
    fn report(&self, ae: &Autoencoder, split: &Split, folder: &Path, seconds: f64) -> Result<()> {
        let list = |widths: &[usize]| widths.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let about = About::new(ae.device(), &self.data, &super::report::command(), seconds)
            .setting("layers", list(&self.layers))
            .setting("hidden", "relu")
            .setting("output", "sigmoid")
            .setting("loss", "mean squared error")
            .setting("optimiser", "Adam")
            .setting("learning rate", self.lr)
            .setting("batch size", self.batch_size)
            .setting("epochs", self.epochs)
            .setting("seed", self.seed);
        let written = report::run(folder, ae, split, &about)?;
        self.common.say(format_args!("report in {}", written.page.display()));
        print(written.picture.unwrap_or(written.page).display());
        Ok(())
    }

    /// A bar on a terminal; elsewhere a line per epoch is said.
    fn bar(&self) -> Option<ProgressBar> {
        if self.common.quiet || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(self.epochs as u64);
        if let Ok(style) = ProgressStyle::with_template("epoch {pos:>3}/{len} {bar:30} {msg}, {eta} left") {
            bar.set_style(style);
        }
        bar.tick();
        Some(bar)
    }

    /// The folder for the results, made and free of another run's.
    fn folder(&self) -> Result<PathBuf> {
        let failed = |path: &Path, source| Error::Io { path: path.to_path_buf(), action: "making the folder for the results", source };
        if let Some(folder) = &self.out {
            fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
            if let Some(file) = ["model.safetensors", "metrics.csv", "reconstruction.png"].iter().find(|f| folder.join(f).exists()) {
                return Err(Error::Argument {
                    name: "--out".into(),
                    problem: format!("{} already holds a {file}", folder.display()),
                    remedy: "Name another folder, or move the old results away.".into(),
                });
            }
            return Ok(folder.clone());
        }
        let name = Path::new(&self.data).file_name().unwrap_or("data".as_ref()).to_string_lossy();
        fs::create_dir_all("runs").map_err(|e| failed(Path::new("runs"), e))?;
        let mut number = 1;
        loop {
            let folder = Path::new("runs").join(format!("{name}-{number:03}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(folder),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(&folder, e)),
            }
        }
    }
}
