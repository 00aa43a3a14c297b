//! `narrows search`

use super::apply::unless_gone;
use super::common::{Common, check_ending, check_place, counted, ends_in, is_same, print};
use super::flags::named;
use super::gallery::{Gallery, Kept, wordless};
use super::hits::Found;
use super::input::{Reading, known};
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, Options, Rows, Schema, Split};
use narrows::tasks::{Hits, Metric, Neighbours, Search};
use narrows::{Autoencoder, Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// How files end. What ends so, or has a slash, is no question in words.
const ENDINGS: [&str; 15] = ["csv", "tsv", "txt", "dat", "gz", "npy", "npz", "png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif"];

#[derive(Args)]
pub(super) struct Find {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    /// The gallery: what `--data` takes elsewhere. Of data in two parts it is the training rows.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The rows to find neighbours of. Of data in two parts they are the test rows; a single image is one row. For a
    /// model of texts a .txt file is one, and what is no path is a text itself. [default: the other part of --data]
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
    /// A .csv of query, rank, row and distance, and of query_id and row_id where rows have ids; or for images a .png:
    /// each query before its neighbours.
    /// [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With -o: prints one JSON document on the file and how many neighbours have the label of their query; with the
    /// neighbours, where they are at most 100.
    #[arg(long, requires = "out")]
    json: bool,
}

/// What neighbours are looked for of.
struct Asked {
    rows: Dataset,
    /// Their numbers among those that were read: texts without any known word are left out.
    numbers: Vec<u32>,
}

impl Find {
    /// Writes the rows of the gallery whose codes are nearest to those of the queries.
    pub(super) fn run(&self) -> Result<()> {
        self.check_out()?;
        let ae = self.model.load(&self.common)?;
        if let Some(bits) = self.bits {
            Neighbours::check_bits(bits, ae.code_width())?;
        }
        let are_texts = ae.schema().is_some_and(Schema::is_of_texts);
        // The queries come first: what is wrong with them is said before a long gallery is read.
        let [options, of_queries] = self.options(&ae)?;
        let one_part = options.is_stream(&self.data) || options.is_folder(&self.data);
        let (asked, other) = match &self.query {
            Some(query) => (self.asked(&ae, &of_queries, query)?, None),
            None if one_part => {
                let problem = format!("{} is one part, so nothing says what to look for", self.data.display());
                let remedy = format!("Name the rows to find neighbours of; --query {0} compares {0} with itself.", self.data.display());
                return Err(Error::Argument { name: "--query".into(), problem, remedy });
            }
            None => {
                let Split { train, test, .. } = options.open(&self.data)?;
                (test, Some(train))
            }
        };
        let Asked { rows: queries, numbers } = self.with_words(asked, are_texts)?;
        let picture = self.out.as_deref().filter(|out| ends_in(out, "png"));
        if let (Some(out), None) = (picture, queries.image_dims()) {
            return Err(not_images(out));
        }
        let codes_of_queries = ae.encode(&queries)?;
        let mut search = Search::new(ae.device(), &codes_of_queries, self.k, self.by)?;
        let gallery = match other {
            Some(rows) => Gallery::Held(rows),
            None => self.gallery(&options, one_part)?,
        };
        let rows = gallery.chunks()?;
        let dims = rows.image_dims().filter(|dims| queries.image_dims() == Some(*dims));
        let picture = picture.map(|out| dims.map(|dims| (out, dims)).ok_or_else(|| not_images(out))).transpose()?;
        self.common.note(&[rows.notes(), queries.notes()].concat());
        let remarks = rows.remarks();
        let kept = Kept::default();
        let mut codes = kept.with_words(ae.encode_stream(kept.watch(rows, are_texts))?);
        let neighbours = match self.bits {
            Some(bits) => Neighbours::by_bits(&all(codes, ae.code_width())?, &codes_of_queries, self.k, bits),
            None => codes.try_for_each(|part| search.add(&part?)).and_then(|()| search.finish()),
        };
        self.common.note(&remarks.list());
        let mut seen = kept.take();
        let left_out = seen.wordless.len();
        if left_out > 0 && left_out == seen.rows {
            let problem = "no text of it has a word that the model knows".into();
            return Err(Error::Data { path: self.data.clone(), problem, remedy: "Name texts like those of the training.".into() });
        }
        let mut neighbours = neighbours?;
        if left_out > 0 {
            self.common.say(format_args!("left out of the search: {} without any word that the model knows", counted(left_out, "text")));
        }
        seen.number(&mut neighbours.rows);
        let is_itself = one_part && self.query.as_ref().is_some_and(|query| is_same(query, &self.data));
        let hits = seen.hits(&neighbours, &queries, is_itself.then_some(&numbers[..]))?;
        self.say_hits(hits, neighbours.k, is_itself);
        let found = Found { neighbours, queries, numbers, seen, anonymous: self.reading.without_ids() };
        if are_texts {
            let of_queries = self.query.as_deref().filter(|query| is_data(query)).map(|query| (query, &of_queries));
            let readable = |(path, options): &(&Path, &Options)| options.is_stream(path) || options.is_folder(path);
            found.tell(&self.common, Some((&*self.data, &options)).filter(readable), of_queries.filter(readable))?;
        }
        match picture {
            Some((out, dims)) => found.draw(out, dims, &gallery)?,
            None => unless_gone(|| found.write(self.out.as_deref()))?,
        }
        let Some(out) = &self.out else { return Ok(()) };
        match self.json {
            true => print(json!({
                "file": out.display().to_string(), "gallery": found.seen.rows, "queries": found.queries.len(), "k": found.neighbours.k,
                "precision": hits.map(|hits| hits.precision),
                "mean_average_precision": hits.map(|hits| hits.mean_average_precision),
                "without_itself": is_itself, "neighbours": found.json(),
            })),
            false => print(out.display()),
        }
    }

    /// Refuses a file that can't be written.
    fn check_out(&self) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        check_place(out, "the model", self.model.is_at(out))?;
        check_place(out, "the rows", [Some(&self.data), self.query.as_ref()].into_iter().flatten().any(|rows| is_same(out, rows)))?;
        check_ending(out, &["csv", "png"])
    }

    /// How the gallery and the queries are read: an option for tables is for those of the two that are one.
    fn options(&self, ae: &Autoencoder) -> Result<[Options; 2]> {
        let options = known(self.reading.over(&Reading::default()).options(), ae);
        match &self.query {
            Some(query) if is_data(query) => options.apart(&self.data, query),
            _ => Ok([options.clone(), options]),
        }
    }

    /// The rows of a path, or a text itself.
    fn asked(&self, ae: &Autoencoder, options: &Options, query: &Path) -> Result<Dataset> {
        if !is_data(query) {
            let text = query.to_string_lossy();
            return match ae.schema().filter(|schema| schema.is_of_texts() && !is_path(query, &text)) {
                Some(schema) => self.question(schema, &text),
                None => {
                    let remedy = "Name a file or a folder that is there. A model of texts takes words too, which begin with no folder and have no ending of a file.";
                    Err(Error::Data { path: query.into(), problem: "there is no such file or folder".into(), remedy: remedy.into() })
                }
            };
        }
        if options.is_stream(query) || options.is_folder(query) { options.read(query) } else { Ok(options.open(query)?.test) }
    }

    /// The row of a question in words.
    fn question(&self, schema: &Schema, text: &str) -> Result<Dataset> {
        let [known, words] = schema.known_words(text).unwrap_or_default();
        if known == 0 {
            let problem = "it is no path, and the model knows none of its words".into();
            let remedy = "Ask with words that are frequent in the texts of the training.".into();
            return Err(Error::Argument { name: "--query".into(), problem, remedy });
        }
        self.common.say(format_args!("the model knows {known} of the {} of the question", counted(words, "word")));
        schema.texts(&[text])
    }

    /// The queries without texts of which the model knows no word: they have no neighbours.
    fn with_words(&self, rows: Dataset, are_texts: bool) -> Result<Asked> {
        let without: Vec<usize> = if are_texts { wordless(&rows).collect() } else { Vec::new() };
        let numbers: Vec<usize> = (0..rows.len()).filter(|at| without.binary_search(at).is_err()).collect();
        let queries = numbers.iter().map(|&at| at as u32).collect();
        if without.is_empty() {
            return Ok(Asked { rows, numbers: queries });
        }
        if numbers.is_empty() {
            let problem = "no text of it has a word that the model knows".into();
            let remedy = "Ask with words that are frequent in the texts of the training.".into();
            return Err(Error::Data { path: self.query.clone().unwrap_or_default(), problem, remedy });
        }
        self.common.say(format_args!(
            "{} of {} queries have no word that the model knows, and so no neighbours; the first is query {}",
            without.len(),
            rows.len(),
            without[0]
        ));
        Ok(Asked { rows: rows.selected(&numbers), numbers: queries })
    }

    /// The gallery that is named, without a second part.
    fn gallery(&self, options: &Options, one_part: bool) -> Result<Gallery> {
        // Labels of an npz file are an array of their own, which a stream of its rows does not have.
        if options.is_stream(&self.data) && !(ends_in(&self.data, "npz") && self.reading.has_label()) {
            return Ok(Gallery::Stream(Box::new(options.clone()), self.data.clone()));
        }
        Ok(Gallery::Held(if one_part { options.read(&self.data)? } else { options.open(&self.data)?.train }))
    }

    fn say_hits(&self, hits: Option<Hits>, k: usize, is_itself: bool) {
        let Some(Hits { precision, mean_average_precision, .. }) = hits else { return };
        let of = match is_itself {
            true => format!("the queries are the gallery: of the {} besides the query itself", counted(k - 1, "neighbour")),
            false => format!("of the {}", counted(k, "neighbour")),
        };
        self.common.say(format_args!(
            "{of} {:.2} % have the label of their query; mean average precision {mean_average_precision:.4}",
            100.0 * precision
        ));
    }
}

/// Whether a query that names nothing that is there looks like a path rather than like words, such as `TCP/IP`.
fn is_path(query: &Path, text: &str) -> bool {
    let begins = ["/", "./", "../", "~"].iter().any(|start| text.starts_with(start)) || text.contains('\\');
    let first = query.components().next().map(|first| Path::new(first.as_os_str()));
    let in_folder = text.contains('/') && first.is_some_and(Path::is_dir);
    begins || in_folder || ENDINGS.iter().any(|ending| ends_in(query, ending))
}

/// Whether a query names data, and is no text itself.
fn is_data(query: &Path) -> bool {
    query == Path::new("builtin") || query == Path::new("mnist") || query.exists()
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
