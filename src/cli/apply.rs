//! `narrows encode`, `score`, `decode` and `reconstruct`: they run rows through a trained network, a chunk at a time.

use super::common::{Common, Failure, check_place, counted, ends_in, print, table};
use super::input::{Input, Of};
use super::model::{Model, output_or_file};
use super::outside::Outside;
use super::scoring::{ScoreBy, Scorer, no_columns};
use clap::Args;
use narrows::data::{Chunks, Number, Remarks, RowWriter, Rows, Schema};
use narrows::nn::{Corruption, Ensemble, Explained, Quantiles, contamination};
use narrows::tasks::{Denoised, Highest, highest};
use narrows::{Autoencoder, Error, Result, report};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Pairs in the picture of `reconstruct`.
const PAIRS: usize = 20;

#[derive(Args)]
#[command(mut_arg("output", |arg| arg.value_parser(output_or_file)))]
pub(super) struct Apply {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    input: Input,
    /// A .csv or .npy file. [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document on the file.
    #[arg(long, requires = "out")]
    json: bool,
}

#[derive(Args)]
pub(super) struct Reconstruct {
    #[command(flatten)]
    apply: Apply,
    /// For a .png: adds noise to the rows, in the network's units, and draws them clean, noisy and denoised.
    #[arg(long, value_name = "gaussian:S|mask:P|salt-pepper:P", value_parser = super::flags::noise, requires = "out")]
    noise: Option<Corruption>,
    /// Seed of the noise.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

#[derive(Args)]
pub(super) struct Score {
    #[command(flatten)]
    apply: Apply,
    /// Adds the column `anomaly`: 1 where the score is as large as those of this share of the validation rows, or of
    /// the training rows where there were none. The model knows them.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, conflicts_with = "threshold")]
    contamination: Option<f64>,
    /// With --contamination: marks this share of the rows that are read, those with the largest scores, whatever is
    /// usual in training. Holds all scores, 4 bytes a row.
    #[arg(long, requires = "contamination")]
    among_these: bool,
    /// Adds the column `anomaly`: 1 where the score is at least this.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// What the score is.
    #[arg(long, value_enum, default_value_t = ScoreBy::Error, value_name = "error|distance|noise", hide_possible_values = true)]
    score_by: ScoreBy,
    /// Adds the three columns that make most of the score, each with what the row and its reconstruction have there.
    #[arg(long)]
    why: bool,
    /// Writes only the N rows with the largest scores, the largest first. Rows without ids have their numbers, counted
    /// from 0, in the column `row`.
    #[arg(long, value_name = "N")]
    most: Option<NonZeroUsize>,
}

/// What is said or written beside rows.
struct Beside {
    /// The name of the column of ids.
    id: Option<String>,
    /// The names of the columns of text behind it.
    texts: Vec<String>,
    remarks: Remarks,
    outside: Outside,
}

type Done = std::result::Result<(), Failure>;

impl Apply {
    pub(super) fn encode(&self) -> Done {
        let (ae, rows, beside) = self.open(Of::Rows)?;
        let names = numbered("code", ae.code_width());
        self.pour(ae.encode_stream(rows)?, &names, beside)
    }

    pub(super) fn decode(&self) -> Done {
        let (ae, codes, beside) = self.open(Of::Codes)?;
        self.pour_units(&ae, ae.decode_stream(codes)?, &columns(&ae), beside)
    }

    /// Writes rows to a table, or to a picture if the output is a .png.
    fn reconstruct(&self, noise: Option<(Corruption, u64)>) -> Done {
        if let Some(path) = self.out().filter(|path| ends_in(path, "png")) {
            return Ok(self.picture(path, noise)?);
        }
        if noise.is_some() {
            let problem = "it is drawn, and the output is not a picture".into();
            return Err(Error::Argument { name: "--noise".into(), problem, remedy: "Name a .png with -o.".into() }.into());
        }
        let (ae, rows, beside) = self.open(Of::Rows)?;
        let names = rows.names().unwrap_or_else(|| columns(&ae));
        self.pour_units(&ae, ae.reconstruct_stream(rows)?, &names, beside)
    }

    /// The name of the column of ids, where there are ids and the output has a place for them.
    fn id(&self, rows: &Chunks) -> Option<String> {
        let id = rows.id()?;
        if let Some(path) = self.out().filter(|path| ends_in(path, "npy")) {
            self.common.say(format_args!("{} has no place for ids; a .csv has", path.display()));
            return None;
        }
        Some(id.into())
    }

    /// Rows in the units of the data. Without a scaler these are the network's, and f32 has all their digits.
    fn pour_units(&self, ae: &Autoencoder, chunks: impl Iterator<Item = Result<Rows<f64>>>, names: &[String], beside: Beside) -> Done {
        let narrow = |rows: Rows<f64>| Rows::new(rows.columns, rows.values.into_iter().map(|x| x as f32).collect()).with_ids(rows.ids);
        match ae.scaler() {
            Some(_) => self.pour(chunks, names, beside),
            None => self.pour(chunks.map(|chunk| chunk.map(narrow)), names, beside),
        }
    }

    /// The file to write, if it is not stdout.
    fn out(&self) -> Option<&Path> {
        self.out.as_deref().or(self.model.output_file())
    }

    /// The network and the rows, after checking that the output can be written.
    fn open(&self, of: Of) -> Result<(Autoencoder, Chunks, Beside)> {
        self.open_if(of, |_, ensemble| self.first(&ensemble))
    }

    /// Says that of several networks the first is used.
    fn first(&self, ensemble: &Option<Ensemble>) -> Result<()> {
        self.model.say_first(ensemble.as_ref(), &self.common);
        Ok(())
    }

    /// The same, for a network that suits: that is asked before the first row is waited for.
    fn open_if(&self, of: Of, suits: impl FnOnce(&Autoencoder, Option<Ensemble>) -> Result<()>) -> Result<(Autoencoder, Chunks, Beside)> {
        if let Some(path) = self.out() {
            RowWriter::check(path)?;
        }
        let (ae, rows, outside) = self.open_any(of, suits)?;
        let beside = Beside { id: self.id(&rows), texts: Vec::new(), remarks: rows.remarks(), outside };
        Ok((ae, rows, beside))
    }

    fn open_any(&self, of: Of, suits: impl FnOnce(&Autoencoder, Option<Ensemble>) -> Result<()>) -> Result<(Autoencoder, Chunks, Outside)> {
        if let (Some(one), Some(other)) = (&self.out, self.model.output_file()) {
            return Err(Error::Argument {
                name: "-o".into(),
                problem: format!("it is {}, and --output is {}", one.display(), other.display()),
                remedy: "Name one file.".into(),
            });
        }
        if let Some(out) = self.out() {
            check_place(out, "the rows", self.input.is_at(out))?;
            check_place(out, "the model", self.model.is_at(out))?;
        }
        let (ae, ensemble) = self.model.load_all(&self.common)?;
        suits(&ae, ensemble)?;
        let rows = self.input.open(&ae, of)?;
        self.common.note(rows.notes());
        let outside = Outside::default();
        let rows = match of {
            Of::Rows => outside.watch(&ae, rows),
            Of::Codes => rows,
        };
        Ok((ae, rows, outside))
    }

    fn writer(&self, names: &[String], beside: &Beside) -> Result<RowWriter> {
        let writer = table(self.out(), names)?.with_texts(&beside.texts);
        Ok(match &beside.id {
            Some(id) => writer.with_ids(id),
            None => writer,
        })
    }

    fn pour<T: Number>(&self, chunks: impl Iterator<Item = Result<Rows<T>>>, names: &[String], beside: Beside) -> Done {
        let mut chunks = chunks.peekable();
        // Errors in the first rows are reported before anything is written.
        if let Some(Err(_)) = chunks.peek() {
            return Ok(chunks.next().map_or(Ok(()), |e| e.map(drop))?);
        }
        Ok(unless_gone(|| {
            let mut writer = self.writer(names, &beside)?;
            for chunk in chunks {
                writer.write(&chunk?)?;
            }
            let rows = writer.finish()?;
            self.common.note(&beside.remarks.list());
            beside.outside.say(&self.common);
            self.done(rows, &[names, &beside.texts].concat(), &beside.outside)
        })?)
    }

    fn done(&self, rows: usize, names: &[String], outside: &Outside) -> Result<()> {
        let Some(path) = self.out() else { return Ok(()) };
        self.common.say(format_args!("{} in {}", counted(rows, "row"), path.display()));
        match self.json {
            true => {
                print(serde_json::json!({ "file": path.display().to_string(), "rows": rows, "columns": names, "outside": outside.count() }))
            }
            false => Ok(()),
        }
    }

    fn picture(&self, path: &Path, noise: Option<(Corruption, u64)>) -> Result<()> {
        let (ae, rows, outside) = self.open_any(Of::Rows, |_, ensemble| self.first(&ensemble))?;
        let dims = image_dims(path, &rows)?;
        let name = rows.name();
        let (shown, chosen) = rows.some(PAIRS)?;
        if shown.is_empty() {
            return Err(Error::Data { path: name.into(), problem: "there are no rows".into(), remedy: "Pass at least one.".into() });
        }
        if let Some(chosen) = chosen {
            self.common.say(format_args!("{} shows {chosen}; a .csv or .npy file holds all", path.display()));
        }
        match noise {
            None => report::comparison(path, &shown.rows_f32(0..PAIRS), &ae.reconstruct(&shown)?.values, dims)?,
            Some((noise, seed)) => {
                let tried = Denoised::of(&ae, &shown, noise, seed)?;
                report::triples(path, &tried.clean, &tried.noisy, &tried.denoised, dims)?;
            }
        }
        outside.say(&self.common);
        match self.json {
            true => print(serde_json::json!({ "picture": path.display().to_string(), "rows": shown.len(), "outside": outside.count() })),
            false => print(path.display()),
        }
    }
}

impl Reconstruct {
    pub(super) fn run(&self) -> Done {
        self.apply.reconstruct(self.noise.map(|noise| (noise, self.seed)))
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
        if let Some(path) = self.apply.out().filter(|path| self.why && ends_in(path, "npy")) {
            let problem = format!("{} has no place for the names of columns", path.display());
            return Err(Error::Argument { name: "--why".into(), problem, remedy: "Name a .csv with -o.".into() }.into());
        }
        if let Some(path) = self.apply.out().filter(|path| self.most.is_some() && ends_in(path, "npy")) {
            let problem = format!("{} has no place for which rows they are", path.display());
            return Err(Error::Argument { name: "--most".into(), problem, remedy: "Name a .csv with -o.".into() }.into());
        }
        if let Some(path) = self.apply.out().filter(|path| ends_in(path, "png")) {
            return Ok(self.picture(path)?);
        }
        let (mut threshold, mut scorer) = (self.threshold, None);
        let known = |ae: &Autoencoder, ensemble: Option<Ensemble>| {
            let by = Scorer::of(self.score_by, self.apply.model.path(), ae, ensemble)?;
            if let Scorer::Noise(_, deviation) = by {
                if self.why {
                    return Err(no_columns());
                }
                self.apply.common.say(format_args!("the noise has a standard deviation of {deviation}, in the network's units"));
            }
            threshold = self.known(by.quantiles())?.or(threshold);
            scorer = Some(by);
            Ok(())
        };
        let (ae, rows, mut beside) = self.apply.open_if(Of::Rows, known)?;
        let scorer = scorer.unwrap_or(Scorer::Error(ae));
        let scores: Box<dyn Iterator<Item = Result<Rows>>> = match self.why {
            true => {
                beside.texts = WHY.iter().map(|name| name.to_string()).collect();
                Box::new(scorer.explained(rows, WHY.len() / 3)?.map(|chunk| chunk.map(with_causes)))
            }
            false => scorer.stream(rows)?,
        };
        let names = ["score".to_string(), "anomaly".to_string()];
        match (self.contamination, threshold) {
            (_, Some(threshold)) => self.pour(scores.map(|chunk| Ok(marked(chunk?, threshold))), &names, beside),
            (Some(share), None) => {
                let all = scores.collect::<Result<Vec<_>>>()?;
                let threshold = contamination(&all.iter().flat_map(|chunk| &chunk.values).copied().collect::<Vec<_>>(), share)?;
                self.apply.common.say(format_args!("anomalies are rows with a score of at least {threshold}"));
                self.pour(all.into_iter().map(|chunk| Ok(marked(chunk, threshold))), &names, beside)
            }
            (None, None) => self.pour(scores, &names[..1], beside),
        }
    }

    /// Writes the rows, or those with the largest scores.
    fn pour(&self, scores: impl Iterator<Item = Result<Rows>>, names: &[String], mut beside: Beside) -> Done {
        let Some(most) = self.most else { return self.apply.pour(scores, names, beside) };
        beside.id.get_or_insert_with(|| "row".into());
        self.apply.pour(std::iter::once(highest(scores, most.get())), names, beside)
    }

    /// Draws the rows with the largest scores, their reconstructions, and where they differ.
    fn picture(&self, path: &Path) -> Result<()> {
        let marks = [
            ("--contamination", self.contamination.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--why", self.why),
            ("--most", self.most.is_some()),
            ("--score-by", self.score_by != ScoreBy::Error),
        ];
        if let Some((flag, _)) = marks.into_iter().find(|(_, given)| *given) {
            let problem = format!("{} is a picture and has no place for it", path.display());
            return Err(Error::Argument { name: flag.into(), problem, remedy: "Name a .csv with -o, or leave the flag out.".into() });
        }
        let (ae, rows, outside) = self.apply.open_any(Of::Rows, |_, ensemble| self.apply.first(&ensemble))?;
        let dims = image_dims(path, &rows)?;
        let name = rows.name();
        let found = Highest::of(&ae, rows, PAIRS)?;
        if found.of == 0 {
            return Err(Error::Data { path: name.into(), problem: "there are no rows".into(), remedy: "Pass at least one.".into() });
        }
        let (back, errors) = (ae.reconstruct(&found.rows)?, ae.squared_errors(&found.rows)?);
        report::heat(path, &found.rows.rows_f32(0..PAIRS), &back.values, &errors.values, dims)?;
        let (shown, of) = (found.rows.len(), found.of);
        let said = if shown < of { format!("the {shown} rows of {of} with the largest scores") } else { "all rows".into() };
        self.apply.common.say(format_args!("{} shows {said}, the largest first, over their reconstructions and errors", path.display()));
        outside.say(&self.apply.common);
        let id = |at: usize| found.ids.as_ref().map(|ids| &ids[at]);
        let row = |at: usize| serde_json::json!({ "row": found.places[at], "id": id(at), "score": found.scores[at] });
        match self.apply.json {
            true => print(serde_json::json!({
                "picture": path.display().to_string(), "rows": of, "shown": (0..shown).map(row).collect::<Vec<_>>(),
                "outside": outside.count(),
            })),
            false => print(path.display()),
        }
    }

    /// The score from which a row is as rare as the share that --contamination names, by the scores that the network
    /// knows from its training.
    fn known(&self, scores: Option<&Quantiles>) -> Result<Option<f32>> {
        let Some(share) = self.contamination.filter(|_| !self.among_these) else { return Ok(None) };
        let Some(scores) = scores else {
            let problem = match self.score_by {
                ScoreBy::Error => "this model does not know the scores of its training: an older version wrote it, or another program",
                _ => "a model knows no such scores of its training",
            };
            return Err(Error::Argument {
                name: "--contamination".into(),
                problem: problem.into(),
                remedy: "Mark a share of the rows that are read, with --among-these; or train the model again.".into(),
            });
        };
        let threshold = scores.threshold(share)?;
        let (rows, count) = (scores.rows(), (scores.rows() as f64 * share).round());
        self.apply.common.say(match count >= 1.0 {
            true => format!("anomalies are rows with a score of at least {threshold}, as {count} of {rows} rows that the model was judged by have"),
            false => format!(
                "anomalies are rows with a score above those of all {rows} rows that the model was judged by: {share} of {rows} is less than one row"
            ),
        });
        Ok(Some(threshold))
    }
}

/// The names of the columns that say why a row has its score.
const WHY: [&str; 9] =
    ["why_1", "value_1", "reconstruction_1", "why_2", "value_2", "reconstruction_2", "why_3", "value_3", "reconstruction_3"];

/// The scores with what makes them as texts. A table of fewer columns leaves fields empty.
fn with_causes(Explained { scores, causes, .. }: Explained) -> Rows {
    let mut texts = Vec::with_capacity(WHY.len() * causes.len());
    for causes in causes {
        let fields = causes.iter().flat_map(|cause| [cause.name.clone(), cause.value.to_string(), cause.reconstruction.to_string()]);
        texts.extend(fields.chain(std::iter::repeat(String::new())).take(WHY.len()));
    }
    scores.with_texts(texts)
}

/// The scores, each with 1 if it reaches the threshold; NaN counts as reaching it.
fn marked(scores: Rows, threshold: f32) -> Rows {
    let anomaly = |score: f32| if score >= threshold || score.is_nan() { 1.0 } else { 0.0 };
    Rows::new(2, scores.values.into_iter().flat_map(|score| [score, anomaly(score)]).collect())
        .with_ids(scores.ids)
        .with_texts(scores.texts)
}

/// The dimensions of the images that the rows are, which are to be drawn.
fn image_dims(path: &Path, rows: &Chunks) -> Result<[usize; 3]> {
    rows.image_dims().ok_or_else(|| Error::Argument {
        name: "-o".into(),
        problem: format!("{} is a picture, but the rows are not images", path.display()),
        remedy: "Name a .csv or .npy file.".into(),
    })
}

/// What the columns of the network's rows are called.
pub(super) fn columns(ae: &Autoencoder) -> Vec<String> {
    ae.schema().and_then(Schema::names).unwrap_or_else(|| numbered("x", ae.inputs()))
}

pub(super) fn numbered(stem: &str, columns: usize) -> Vec<String> {
    (0..columns).map(|at| format!("{stem}_{at}")).collect()
}

/// A closed stdout is not an error.
pub(super) fn unless_gone(f: impl FnOnce() -> Result<()>) -> Result<()> {
    match f() {
        Err(Error::Io { path, source, .. }) if path == Path::new("stdout") && source.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
