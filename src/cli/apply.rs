//! `narrows encode`, `score`, `decode` and `reconstruct`: they run rows through a trained network, a chunk at a time.

use super::input::Input;
use super::signals::Signals;
use super::{Common, Failure, print};
use clap::Args;
use narrows::data::{Chunks, Dataset, RowWriter};
use narrows::nn::{Rows, contamination};
use narrows::{Autoencoder, Error, Result, report};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Pairs in the picture of `reconstruct`.
const PAIRS: usize = 20;

#[derive(Args)]
pub(super) struct Apply {
    #[command(flatten)]
    common: Common,
    /// A model.safetensors, or the folder of a run.
    #[arg(long, value_name = "FILE|DIR")]
    model: PathBuf,
    #[command(flatten)]
    input: Input,
    /// A .csv or .npy file. [default: CSV to stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Score {
    #[command(flatten)]
    apply: Apply,
    /// Adds the column `anomaly`: 1 for this share of the rows, those with the largest errors. Holds all errors, 4
    /// bytes a row.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, conflicts_with = "threshold")]
    contamination: Option<f64>,
    /// Adds the column `anomaly`: 1 where the error is at least this.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    threshold: Option<f32>,
}

type Done = std::result::Result<(), Failure>;

impl Apply {
    pub(super) fn encode(&self) -> Done {
        let (ae, rows) = self.open()?;
        let names = numbered("code", ae.code_width());
        self.pour(ae.encode_stream(rows)?, &names)
    }

    pub(super) fn decode(&self) -> Done {
        let (ae, codes) = self.open()?;
        let names = numbered("x", ae.inputs());
        self.pour(ae.decode_stream(codes)?, &names)
    }

    /// Writes rows to a table, or to a picture if the output is a .png.
    pub(super) fn reconstruct(&self) -> Done {
        if let Some(path) = self.output.as_deref().filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"))) {
            return Ok(self.picture(path)?);
        }
        let (ae, rows) = self.open()?;
        let names = rows.names().map_or_else(|| numbered("x", ae.inputs()), <[String]>::to_vec);
        self.pour(ae.reconstruct_stream(rows)?, &names)
    }

    /// The network and the rows, after checking that the output can be written.
    fn open(&self) -> Result<(Autoencoder, Chunks)> {
        if let Some(path) = &self.output {
            RowWriter::check(path)?;
        }
        self.open_any()
    }

    fn open_any(&self) -> Result<(Autoencoder, Chunks)> {
        let device = self.common.open()?;
        let ae = Autoencoder::load(&device, super::model_file(&self.model))?;
        let rows = self.input.open()?;
        self.common.note(rows.notes());
        Ok((ae, rows))
    }

    fn writer(&self, names: &[String]) -> Result<RowWriter> {
        match &self.output {
            Some(path) => RowWriter::create(path, names),
            None => RowWriter::csv("stdout", BufWriter::new(std::io::stdout()), names),
        }
    }

    fn pour(&self, chunks: impl Iterator<Item = Result<Rows>>, names: &[String]) -> Done {
        let mut chunks = chunks.peekable();
        // Errors in the first rows are reported before anything is written.
        if let Some(Err(_)) = chunks.peek() {
            return Ok(chunks.next().map_or(Ok(()), |e| e.map(drop))?);
        }
        // A killed process leaves its temporary file behind, so a signal ends this between two chunks.
        let signals = self.output.is_some().then(Signals::listen).transpose()?;
        let stopped = || signals.as_ref().filter(|s| s.flag.load(Ordering::Relaxed));
        unless_gone(|| {
            let mut writer = self.writer(names)?;
            for chunk in chunks.take_while(|_| stopped().is_none()) {
                writer.write(&chunk?.values)?;
            }
            if stopped().is_none() {
                self.done(writer.finish()?);
            }
            Ok(())
        })?;
        match stopped() {
            None => Ok(()),
            Some(signals) => {
                self.common.say("stopped by a signal; nothing was written");
                Err(Failure::Signal(signals.code()))
            }
        }
    }

    fn done(&self, rows: usize) {
        if let Some(path) = &self.output {
            self.common.say(format_args!("{rows} rows in {}", path.display()));
        }
    }

    fn picture(&self, path: &Path) -> Result<()> {
        let (ae, mut rows) = self.open_any()?;
        let Some(size) = rows.image_size() else {
            return Err(Error::Argument {
                name: "output".into(),
                problem: format!("{} is a picture, but the rows are not images", path.display()),
                remedy: "Name a .csv or .npy file.".into(),
            });
        };
        let Some(first) = rows.next() else {
            return Err(Error::Data { path: rows.name().into(), problem: "there are no rows".into(), remedy: "Pass at least one.".into() });
        };
        let mut originals = first?;
        originals.truncate(PAIRS * rows.columns());
        let shown = Dataset::from_rows(&rows.name(), originals.clone(), &[rows.columns()])?;
        report::comparison(path, &originals, &ae.reconstruct(&shown)?.values, size)?;
        print(path.display())
    }
}

impl Score {
    pub(super) fn run(&self) -> Done {
        if let Some(share) = self.contamination {
            // An invalid share is rejected before the rows are read.
            contamination(&[], share)?;
        }
        if self.threshold.is_some_and(f32::is_nan) {
            let nan = Error::Argument { name: "--threshold".into(), problem: "it is NaN".into(), remedy: "Name a number.".into() };
            return Err(nan.into());
        }
        let (ae, rows) = self.apply.open()?;
        let scores = ae.score_stream(rows)?;
        let names = ["score".to_string(), "anomaly".to_string()];
        match (self.contamination, self.threshold) {
            (Some(share), _) => {
                let mut all = Vec::new();
                for chunk in scores {
                    all.extend(chunk?);
                }
                let threshold = contamination(&all, share)?;
                self.apply.common.say(format_args!("anomalies are rows with an error of at least {threshold}"));
                self.apply.pour(all.chunks(4096).map(|chunk| Ok(marked(chunk, threshold))), &names)
            }
            (None, Some(threshold)) => self.apply.pour(scores.map(|chunk| Ok(marked(&chunk?, threshold))), &names),
            (None, None) => self.apply.pour(scores.map(|chunk| chunk.map(|s| Rows { rows: s.len(), columns: 1, values: s })), &names[..1]),
        }
    }
}

/// The scores, each with 1 if it reaches the threshold; NaN counts as reaching it.
fn marked(scores: &[f32], threshold: f32) -> Rows {
    let anomaly = |score: f32| if score >= threshold || score.is_nan() { 1.0 } else { 0.0 };
    Rows { rows: scores.len(), columns: 2, values: scores.iter().flat_map(|&score| [score, anomaly(score)]).collect() }
}

fn numbered(stem: &str, columns: usize) -> Vec<String> {
    (0..columns).map(|at| format!("{stem}_{at}")).collect()
}

/// A closed stdout is not an error.
fn unless_gone(f: impl FnOnce() -> Result<()>) -> Result<()> {
    match f() {
        Err(Error::Io { path, source, .. }) if path == Path::new("stdout") && source.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
