//! What `narrows search` found, as a table, as a list to read, as JSON or as a picture.

use super::common::{Common, table};
use super::gallery::{Gallery, Seen};
use narrows::data::{Dataset, Options, Rows};
use narrows::tasks::Neighbours;
use narrows::{Result, report};
use serde_json::{Value, json};
use std::path::Path;

/// Queries in a picture, and neighbours of each.
const DRAWN: [usize; 2] = [20, 12];
/// Queries in a list to read, and neighbours of each where there are several queries.
const TOLD: [usize; 2] = [3, 3];
/// The most neighbours in a JSON document.
const LISTED: usize = 100;
/// The characters that are shown of a text.
const BEGINNING: usize = 80;
/// Lines of the table that are written at once.
const WRITTEN: usize = 4096;

/// The neighbours of queries.
pub(super) struct Found {
    pub(super) neighbours: Neighbours,
    /// The queries, and their numbers among those that were asked.
    pub(super) queries: Dataset,
    pub(super) numbers: Vec<u32>,
    /// What is known of the gallery's rows.
    pub(super) seen: Seen,
    /// Whether names of rows are left out.
    pub(super) anonymous: bool,
}

/// A neighbour of a query.
struct Hit<'a> {
    query: u32,
    rank: usize,
    row: u32,
    distance: f64,
    query_id: Option<&'a str>,
    row_id: Option<&'a str>,
}

/// A file of texts, and how it is read.
pub(super) type Source<'a> = Option<(&'a Path, &'a Options)>;

impl Found {
    fn hit(&self, at: usize) -> Hit<'_> {
        let Neighbours { k, rows, distances, .. } = &self.neighbours;
        let (query, row) = (at / k, rows[at]);
        let query_id = self.queries.ids().filter(|_| !self.anonymous).map(|ids| ids[query].as_str());
        Hit {
            query: self.numbers[query],
            rank: at % k + 1,
            row,
            distance: distances[at],
            query_id,
            row_id: self.seen.id_of(row).filter(|_| !self.anonymous),
        }
    }

    /// Whether queries or rows have names of their own.
    fn has_ids(&self) -> bool {
        !self.anonymous && (self.queries.ids().is_some() || !self.seen.ids.is_empty())
    }

    /// Writes a line for each neighbour; its names come last, where there are any.
    pub(super) fn write(&self, out: Option<&Path>) -> Result<()> {
        let mut writer = table(out, &["query", "rank", "row", "distance"])?;
        let (names, all) = (self.has_ids(), self.neighbours.rows.len());
        if names {
            writer = writer.with_texts(&["query_id", "row_id"]);
        }
        for begin in (0..all).step_by(WRITTEN) {
            let hits: Vec<Hit> = (begin..all.min(begin + WRITTEN)).map(|at| self.hit(at)).collect();
            let numbers: Vec<f64> =
                hits.iter().flat_map(|hit| [f64::from(hit.query), hit.rank as f64, f64::from(hit.row), hit.distance]).collect();
            let texts =
                hits.iter().filter(|_| names).flat_map(|hit| [hit.query_id, hit.row_id].map(|id| id.unwrap_or_default().to_string()));
            writer.write(&Rows::new(4, numbers).with_texts(texts.collect()))?;
        }
        writer.finish().map(drop)
    }

    /// The neighbours, where they are few.
    pub(super) fn json(&self) -> Option<Vec<Value>> {
        let all = self.neighbours.rows.len();
        let of = |at| {
            let Hit { query, rank, row, distance, query_id, row_id } = self.hit(at);
            let class = self.seen.class_of(row);
            json!({
                "query": query, "rank": rank, "row": row, "distance": distance,
                "query_id": query_id, "row_id": row_id, "class": class,
            })
        };
        (all <= LISTED).then(|| (0..all).map(of).collect())
    }

    /// Says what was found for texts, of several for the first of them: the id and the class of each neighbour, where
    /// it has these, and how it begins.
    pub(super) fn tell(&self, common: &Common, gallery: Source, queries: Source) -> Result<()> {
        let k = self.neighbours.k;
        let (asked, most) = match self.numbers.len() {
            1 => (1, k),
            all => (all.min(TOLD[0]), k.min(TOLD[1])),
        };
        let of = |source: Source, rows: &[usize]| match source {
            Some((path, options)) => options.excerpts(path, rows, BEGINNING),
            None => Ok(vec![String::new(); rows.len()]),
        };
        let places: Vec<usize> = (0..asked).flat_map(|query| query * k..query * k + most).collect();
        let rows: Vec<usize> = places.iter().map(|&at| self.neighbours.rows[at] as usize).collect();
        let numbers: Vec<usize> = self.numbers[..asked].iter().map(|&number| number as usize).collect();
        let (texts, questions) = (of(gallery, &rows)?, of(queries, &numbers)?);
        for (at, text) in places.into_iter().zip(texts) {
            let Hit { query, rank, row, distance, query_id, row_id } = self.hit(at);
            let called = |id: Option<&str>| id.map_or_else(|| format!("row {row}"), printable);
            if rank == 1 && queries.is_some() {
                let id = query_id.map(|id| format!(" ({})", printable(id))).unwrap_or_default();
                common.say(format_args!("query {query}{id}: {}", printable(&questions[at / k])));
            }
            let class = self.seen.class_of(row).map(|class| format!(", {}", printable(class))).unwrap_or_default();
            common.say(format_args!("{rank}. {}{class}: {distance:.4}  {}", called(row_id), printable(&text)));
        }
        Ok(())
    }

    /// Each query at the begin of a line of its neighbours.
    pub(super) fn draw(&self, out: &Path, dims: [usize; 3], gallery: &Gallery) -> Result<()> {
        let (queries, found) = (&self.queries, &self.neighbours);
        let [lines, most] = DRAWN;
        let (lines, k) = (lines.min(queries.len()), most.min(found.k));
        // As many from one class as from another, where the rows are in the order of their classes.
        let shown: Vec<usize> = (0..lines).map(|line| line * queries.len() / lines).collect();
        let near = |query: usize| &found.rows[query * found.k..][..k];
        let picked = gallery.pick(&shown.iter().flat_map(|&query| near(query)).copied().collect::<Vec<_>>())?;
        let mut images = Vec::new();
        for &query in &shown {
            images.extend(queries.rows_f32(query..query + 1));
            near(query).iter().for_each(|row| images.extend(&picked[row]));
        }
        report::write(out, &report::grid(&images, dims, k + 1)?)
    }
}

/// A text without signs that would steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
