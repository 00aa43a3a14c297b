//! `narrows search`

use super::apply::unless_gone;
use super::common::{Common, check_place, ends_in, is_same, print, table};
use super::flags::named;
use super::input::{Reading, known};
use super::model::Model;
use clap::Args;
use narrows::data::{Chunk, Chunks, Dataset, Options, Rows, Schema, Split};
use narrows::tasks::{Hits, Metric, Neighbours, Search};
use narrows::{Autoencoder, Error, Result, report};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Queries in a picture, and neighbours of each.
const SHOWN: [usize; 2] = [20, 12];
/// The characters that are shown of a text.
const BEGINNING: usize = 80;
/// Lines of the table that are written at once.
const WRITTEN: usize = 4096;

#[derive(Args)]
pub(super) struct Find {
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

impl Find {
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
        let rows = gallery.chunks()?;
        let dims = rows.image_dims().filter(|dims| queries.image_dims() == Some(*dims));
        let picture = self.out.as_deref().filter(|out| ends_in(out, "png"));
        let picture = picture.map(|out| dims.map(|dims| (out, dims)).ok_or_else(|| not_images(out))).transpose()?;
        self.common.note(&[rows.notes(), queries.notes()].concat());
        let remarks = rows.remarks();
        let classes = Classes::default();
        let codes = ae.encode_stream(classes.watch(rows))?;
        let asked = ae.encode(&queries)?;
        let found = match self.bits {
            Some(bits) => Neighbours::by_bits(&all(codes, ae.code_width())?, &asked, self.k, bits)?,
            None => {
                let mut search = Search::new(ae.device(), &asked, self.k, self.by)?;
                codes.into_iter().try_for_each(|part| search.add(&part?))?;
                search.finish()?
            }
        };
        self.common.note(&remarks.list());
        let (count, hits) = classes.hits(&found, &queries)?;
        if let Some(Hits { precision, mean_average_precision, .. }) = hits {
            let k = found.k;
            self.common.say(format_args!(
                "of the {k} neighbours {:.2} % have the label of their query; mean average precision {mean_average_precision:.4}",
                100.0 * precision
            ));
        }
        if self.is_text(&ae) {
            self.tell(&ae, &gallery, &found)?;
        }
        match picture {
            Some((out, dims)) => draw(out, dims, &gallery, &queries, &found)?,
            None => unless_gone(|| write(self.out.as_deref(), &found))?,
        }
        let Some(out) = &self.out else { return Ok(()) };
        match self.json {
            true => print(json!({
                "file": out.display().to_string(), "gallery": count, "queries": queries.len(), "k": found.k,
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
    fn tell(&self, ae: &Autoencoder, gallery: &Gallery, found: &Neighbours) -> Result<()> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        let rows: Vec<usize> = found.rows.iter().map(|&row| row as usize).collect();
        let one = options.is_stream(&self.data) || options.is_folder(&self.data);
        let texts = if one { options.excerpts(&self.data, &rows, BEGINNING)? } else { vec![String::new(); rows.len()] };
        let picked = gallery.pick(&found.rows)?;
        for (rank, ((row, distance), text)) in found.rows.iter().zip(&found.distances).zip(texts).enumerate() {
            let Row { id, class, .. } = &picked[row];
            let id = id.clone().unwrap_or_else(|| format!("row {row}"));
            let class = class.as_ref().map(|class| format!(", {}", printable(class))).unwrap_or_default();
            self.common.say(format_args!("{}. {}{class}: {distance:.4}  {}", rank + 1, printable(&id), printable(&text)));
        }
        Ok(())
    }

    /// Gallery and queries.
    fn rows(&self, ae: &Autoencoder) -> Result<(Gallery, Dataset)> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        // What has no parts of its own is one.
        let open = |path: &Path| -> Result<(Dataset, Option<Dataset>)> {
            if options.is_stream(path) || options.is_folder(path) {
                return Ok((options.read(path)?, None));
            }
            let Split { train, test, .. } = options.open(path)?;
            Ok((train, Some(test)))
        };
        // Labels of an npz file are an array of their own, which a stream of its rows does not have.
        let (gallery, other) = match options.is_stream(&self.data) && !(ends_in(&self.data, "npz") && self.reading.has_label()) {
            true => (Gallery::Stream(Box::new(options.clone()), self.data.clone()), None),
            false => open(&self.data).map(|(gallery, other)| (Gallery::Held(gallery), other))?,
        };
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
        Ok((gallery, queries))
    }
}

/// The rows that are searched. They can be read more than once.
enum Gallery {
    Held(Dataset),
    Stream(Box<Options>, PathBuf),
}

/// What is shown of a row of the gallery.
struct Row {
    values: Vec<f32>,
    id: Option<String>,
    class: Option<String>,
}

impl Gallery {
    /// The rows with their classes.
    fn chunks(&self) -> Result<Chunks> {
        Ok(match self {
            Gallery::Held(rows) => rows.chunks(),
            Gallery::Stream(options, path) => options.stream(path)?,
        }
        .with_classes())
    }

    /// The rows with these numbers, which are read once more.
    fn pick(&self, rows: &[u32]) -> Result<HashMap<u32, Row>> {
        let wanted: BTreeSet<u32> = rows.iter().copied().collect();
        let (chunks, mut found, mut first) = (self.chunks()?, HashMap::new(), 0);
        let (name, columns) = (chunks.name(), chunks.columns());
        for chunk in chunks {
            let Chunk { values, ids, classes, .. } = chunk?;
            let values = Dataset::from_values(&name, values, &[columns])?;
            let count = values.len() as u32;
            for &row in wanted.range(first..first + count) {
                let at = (row - first) as usize;
                let of = |texts: &Option<Vec<String>>| texts.as_ref().map(|texts| texts[at].clone());
                found.insert(row, Row { values: values.rows_f32(at..at + 1), id: of(&ids), class: of(&classes) });
            }
            first += count;
            if found.len() == wanted.len() {
                return Ok(found);
            }
        }
        Err(Error::Data { path: name.into(), problem: "it has changed while it was searched".into(), remedy: "Search it again.".into() })
    }
}

/// The classes of the gallery's rows, by numbers of their own, as they are read.
#[derive(Clone, Default)]
struct Classes(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    names: HashMap<String, u32>,
    of_rows: Vec<u32>,
    rows: usize,
}

impl Classes {
    fn watch(&self, rows: Chunks) -> Chunks {
        let (seen, columns) = (self.0.clone(), rows.columns());
        rows.watch(move |chunk| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.rows += chunk.values.len() / columns;
            for name in chunk.classes.iter().flatten() {
                let class = seen.class(name);
                seen.of_rows.push(class);
            }
        })
    }

    /// The number of rows that were read, and how many neighbours have the label of their query, where both sides have
    /// labels. Two files number their classes by themselves: what they call them is what counts.
    fn hits(&self, found: &Neighbours, queries: &Dataset) -> Result<(usize, Option<Hits>)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = queries.labels().filter(|labels| !labels.is_empty() && !seen.of_rows.is_empty());
        let asked = labels.map(|labels| labels.iter().map(|&label| seen.class(&queries.class_name(label))).collect::<Vec<_>>());
        let hits = asked.map(|asked| found.hits(&seen.of_rows, &asked)).transpose()?;
        Ok((seen.rows, hits))
    }
}

impl Seen {
    /// The number of a class. Numbers are the same however they are written.
    fn class(&mut self, name: &str) -> u32 {
        let name = name.parse::<u8>().map_or_else(|_| name.to_string(), |number| number.to_string());
        let next = self.names.len() as u32;
        *self.names.entry(name).or_insert(next)
    }
}

/// The codes of a whole stream.
fn all(codes: impl Iterator<Item = Result<Rows>>, width: usize) -> Result<Rows> {
    let mut values = Vec::new();
    for part in codes {
        values.extend(part?.values);
    }
    Ok(Rows::new(width, values))
}

fn not_images(out: &Path) -> Error {
    let problem = format!("{} is a picture, but the rows are not images of one size", out.display());
    Error::Argument { name: "-o".into(), problem, remedy: "Name a .csv file.".into() }
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
        writer.write(&Rows::new(4, lines))?;
    }
    writer.finish().map(drop)
}

/// Each query at the begin of a line of its neighbours.
fn draw(out: &Path, dims: [usize; 3], gallery: &Gallery, queries: &Dataset, found: &Neighbours) -> Result<()> {
    let [lines, most] = SHOWN;
    let (lines, k) = (lines.min(queries.len()), most.min(found.k));
    // As many from one class as from another, where the rows are in the order of their classes.
    let shown: Vec<usize> = (0..lines).map(|line| line * queries.len() / lines).collect();
    let near = |query: usize| &found.rows[query * found.k..][..k];
    let picked = gallery.pick(&shown.iter().flat_map(|&query| near(query)).copied().collect::<Vec<_>>())?;
    let mut images = Vec::new();
    for &query in &shown {
        images.extend(queries.rows_f32(query..query + 1));
        near(query).iter().for_each(|row| images.extend(&picked[row].values));
    }
    report::write(out, &report::grid(&images, dims, k + 1)?)
}
