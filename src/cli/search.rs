//! `narrows search`

use super::apply::unless_gone;
use super::common::{Common, check_place, ends_in, is_same, print, table};
use super::flags::named;
use super::input::{Reading, known};
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, Schema, Split};
use narrows::tasks::{Hits, Metric, Neighbours};
use narrows::{Autoencoder, Error, Result, report};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Queries in a picture, and neighbours of each.
const SHOWN: [usize; 2] = [20, 12];
/// The characters that are shown of a text.
const BEGINNING: usize = 80;
/// Lines of the table that are written at once.
const WRITTEN: usize = 4096;

#[derive(Args)]
pub(super) struct Search {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    /// The gallery: what `--data` takes elsewhere. Of data in two parts it is the training rows.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The rows to find neighbours of. Of data in two parts they are the test rows. For a model of texts, what is no
    /// path is a text itself. [default: the other part of --data]
    #[arg(long, value_name = "PATH|TEXT")]
    query: Option<PathBuf>,
    /// Neighbours of each.
    #[arg(short, value_name = "K", default_value_t = 10)]
    k: usize,
    /// How far codes are from each other.
    #[arg(long, default_value_t = Metric::L2, value_parser = named::<Metric>(Metric::NAMES), value_name = Metric::USAGE)]
    by: Metric,
    /// Compares this many bits, the signs of the code's principal components, by their Hamming distance.
    #[arg(long, value_name = "N", conflicts_with = "by")]
    bits: Option<usize>,
    #[command(flatten)]
    reading: Reading,
    /// A .csv of query, rank, row and distance, or for images a .png: each query before its neighbours.
    /// [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document on the file and the hits.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Search {
    /// Writes the rows of the gallery whose codes are nearest to those of the queries.
    pub(super) fn run(&self) -> Result<()> {
        if let Some(out) = &self.out {
            check_place(out, "the model", self.model.is_at(out))?;
            check_place(out, "the rows", [Some(&self.data), self.query.as_ref()].into_iter().flatten().any(|rows| is_same(out, rows)))?;
            if !ends_in(out, "csv") && !ends_in(out, "png") {
                let problem = format!("{} is neither a .csv nor a .png", out.display());
                return Err(Error::Argument { name: "-o".into(), problem, remedy: "Name one of these.".into() });
            }
        }
        let ae = self.model.load(&self.common)?;
        let (gallery, queries) = self.rows(&ae)?;
        let (near, asked) = (ae.encode(&gallery)?, ae.encode(&queries)?);
        let found = match self.bits {
            Some(bits) => Neighbours::by_bits(&near, &asked, self.k, bits)?,
            None => Neighbours::of(ae.device(), &near, &asked, self.k, self.by)?,
        };
        // Two files number their classes by themselves: what they call them is what counts.
        let classes =
            |rows: &Dataset| -> Option<Vec<String>> { Some(rows.labels()?.iter().map(|&label| rows.class_name(label)).collect()) };
        let hits = classes(&gallery).zip(classes(&queries)).filter(|(_, queries)| !queries.is_empty());
        let hits = hits.map(|(gallery, queries)| found.hits(&gallery, &queries)).transpose()?;
        if let Some(Hits { precision, mean_average_precision }) = hits {
            let k = found.k;
            self.common.say(format_args!(
                "of the {k} neighbours {:.2} % have the label of their query; mean average precision {mean_average_precision:.4}",
                100.0 * precision
            ));
        }
        if self.is_text(&ae) {
            self.tell(&ae, &gallery, &found)?;
        }
        match &self.out {
            Some(out) if ends_in(out, "png") => draw(out, &gallery, &queries, &found)?,
            out => unless_gone(|| write(out.as_deref(), &found))?,
        }
        let Some(out) = &self.out else { return Ok(()) };
        match self.json {
            true => print(json!({
                "file": out.display().to_string(), "gallery": gallery.len(), "queries": queries.len(), "k": found.k,
                "precision": hits.map(|hits| hits.precision),
                "mean_average_precision": hits.map(|hits| hits.mean_average_precision),
            })),
            false => print(out.display()),
        }
    }

    /// Whether the query is a text itself.
    fn is_text(&self, ae: &Autoencoder) -> bool {
        ae.schema().is_some_and(Schema::is_of_texts) && self.query.as_ref().is_some_and(|query| !matches!(query.try_exists(), Ok(true)))
    }

    /// Says what was found for a text: its id and its class, where it has these, and how it begins.
    fn tell(&self, ae: &Autoencoder, gallery: &Dataset, found: &Neighbours) -> Result<()> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        let rows: Vec<usize> = found.rows.iter().map(|&row| row as usize).collect();
        let one = options.is_stream(&self.data) || options.is_folder(&self.data);
        let texts = if one { options.excerpts(&self.data, &rows, BEGINNING)? } else { vec![String::new(); rows.len()] };
        for (rank, ((&row, distance), text)) in rows.iter().zip(&found.distances).zip(texts).enumerate() {
            let id = gallery.ids().map_or_else(|| format!("row {row}"), |ids| ids[row].clone());
            let class = gallery.labels().map(|labels| format!(", {}", gallery.class_name(labels[row]))).unwrap_or_default();
            self.common.say(format_args!("{}. {id}{class}: {distance:.4}  {}", rank + 1, printable(&text)));
        }
        Ok(())
    }

    /// Gallery and queries.
    fn rows(&self, ae: &Autoencoder) -> Result<(Dataset, Dataset)> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        // What has no parts of its own is one.
        let open = |path: &Path| -> Result<(Dataset, Option<Dataset>)> {
            if options.is_stream(path) || options.is_folder(path) {
                return Ok((options.read(path)?, None));
            }
            let Split { train, test, .. } = options.open(path)?;
            Ok((train, Some(test)))
        };
        let (gallery, other) = open(&self.data)?;
        let queries = match (&self.query, other) {
            (None, Some(other)) => other,
            (None, None) => {
                let problem = format!("{} is one part, so nothing says what to look for", self.data.display());
                return Err(Error::Argument { name: "--query".into(), problem, remedy: "Name the rows to find neighbours of.".into() });
            }
            (Some(text), _) if self.is_text(ae) => {
                let text = text.to_string_lossy();
                let asked = ae.schema().map(|schema| schema.texts(&[&text])).transpose()?;
                match asked.filter(|asked| asked.rows_f32(0..1).iter().any(|&x| x > 0.0)) {
                    Some(asked) => asked,
                    None => {
                        let problem = "it is no path, and the model knows none of its words".into();
                        let remedy = "Ask with words that are frequent in the texts of the training.".into();
                        return Err(Error::Argument { name: "--query".into(), problem, remedy });
                    }
                }
            }
            (Some(path), _) => match open(path)? {
                (_, Some(test)) => test,
                (rows, None) => rows,
            },
        };
        self.common.note(&[gallery.notes(), queries.notes()].concat());
        Ok((gallery, queries))
    }
}

/// A text without signs that would steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn write(out: Option<&Path>, found: &Neighbours) -> Result<()> {
    let names = ["query", "rank", "row", "distance"].map(String::from);
    let mut writer = table(out, &names)?;
    for (part, (rows, distances)) in found.rows.chunks(WRITTEN).zip(found.distances.chunks(WRITTEN)).enumerate() {
        let line = |(i, (&row, &distance)): (usize, (&u32, &f64))| {
            let at = part * WRITTEN + i;
            [(at / found.k) as f64, (at % found.k + 1) as f64, f64::from(row), distance]
        };
        let lines = rows.iter().zip(distances).enumerate().flat_map(line).collect();
        writer.write(&narrows::data::Rows::new(4, lines))?;
    }
    writer.finish().map(drop)
}

/// Each query at the begin of a line of its neighbours.
fn draw(out: &Path, gallery: &Dataset, queries: &Dataset, found: &Neighbours) -> Result<()> {
    let Some(dims) = gallery.image_dims().filter(|dims| queries.image_dims() == Some(*dims)) else {
        let problem = format!("{} is a picture, but the rows are not images of one size", out.display());
        return Err(Error::Argument { name: "-o".into(), problem, remedy: "Name a .csv file.".into() });
    };
    let [lines, most] = SHOWN;
    let (lines, k) = (lines.min(queries.len()), most.min(found.k));
    // As many from one class as from another, where the rows are in the order of their classes.
    let shown: Vec<usize> = (0..lines).map(|line| line * queries.len() / lines).collect();
    let mut images = Vec::new();
    for &query in &shown {
        images.extend(queries.rows_f32(query..query + 1));
        for &row in &found.rows[query * found.k..][..k] {
            images.extend(gallery.rows_f32(row as usize..row as usize + 1));
        }
    }
    report::write(out, &report::grid(&images, dims, k + 1)?)
}
