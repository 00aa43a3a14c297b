//! The rows that `narrows search` searches, and what is kept of them while they are read.

use narrows::data::{Chunk, Chunks, Dataset, Options, Rows};
use narrows::tasks::{Hits, Neighbours};
use narrows::{Error, Result};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The rows that are searched. They can be read more than once.
pub(super) enum Gallery {
    Held(Dataset),
    Stream(Box<Options>, PathBuf),
}

impl Gallery {
    /// The rows with their classes.
    pub(super) fn chunks(&self) -> Result<Chunks> {
        Ok(match self {
            Gallery::Held(rows) => rows.chunks(),
            Gallery::Stream(options, path) => options.stream(path)?,
        }
        .with_classes())
    }

    /// The rows with these numbers, which are read once more.
    pub(super) fn pick(&self, rows: &[u32]) -> Result<HashMap<u32, Vec<f32>>> {
        let wanted: BTreeSet<u32> = rows.iter().copied().collect();
        let (chunks, mut found, mut first) = (self.chunks()?, HashMap::new(), 0);
        let (name, columns) = (chunks.name(), chunks.columns());
        for chunk in chunks {
            let values = Dataset::from_values(&name, chunk?.values, &[columns])?;
            let count = values.len() as u32;
            for &row in wanted.range(first..first + count) {
                let at = (row - first) as usize;
                found.insert(row, values.rows_f32(at..at + 1));
            }
            first += count;
            if found.len() == wanted.len() {
                return Ok(found);
            }
        }
        Err(Error::Data { path: name.into(), problem: "it has changed while it was searched".into(), remedy: "Search it again.".into() })
    }
}

/// What is kept of rows as they are read.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Seen>>);

/// What was kept of the rows of a gallery.
#[derive(Default)]
pub(super) struct Seen {
    /// The classes by numbers of their own, and those of the rows.
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    of_rows: Vec<u32>,
    pub(super) ids: Vec<String>,
    /// Texts without any known word.
    pub(super) wordless: Vec<u32>,
    pub(super) rows: usize,
}

impl Kept {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same rows, which are looked at as they are read: of texts, also whether they have words.
    pub(super) fn watch(&self, rows: Chunks, are_texts: bool) -> Chunks {
        let (kept, columns, name) = (self.clone(), rows.columns(), rows.name());
        rows.watch(move |chunk| kept.seen().add(chunk, &name, columns, are_texts))
    }

    /// The codes of the texts that have words, or of all rows that are no texts.
    pub(super) fn with_words<C: Iterator<Item = Result<Rows>>>(&self, codes: C) -> impl Iterator<Item = Result<Rows>> + use<C> {
        let (kept, mut first) = (self.clone(), 0);
        codes.map(move |part| {
            let Rows { rows, columns, values, .. } = part?;
            let seen = kept.seen();
            let has_words = |at: &usize| seen.wordless.binary_search(&((first + at) as u32)).is_err();
            let values = match (0..rows).all(|at| has_words(&at)) {
                true => values,
                false => (0..rows).filter(has_words).flat_map(|at| &values[at * columns..][..columns]).copied().collect(),
            };
            first += rows;
            Ok(Rows::new(columns, values))
        })
    }

    /// What was kept, once all rows are read.
    pub(super) fn take(self) -> Seen {
        std::mem::take(&mut *self.seen())
    }
}

impl Seen {
    fn add(&mut self, chunk: &Chunk, name: &str, columns: usize, are_texts: bool) {
        let rows = chunk.values.len() / columns;
        if are_texts && let Ok(values) = Dataset::from_values(name, chunk.values.clone(), &[columns]) {
            self.wordless.extend(wordless(&values).map(|at| (self.rows + at) as u32));
        }
        self.rows += rows;
        self.ids.extend(chunk.ids.iter().flatten().cloned());
        for name in chunk.classes.iter().flatten() {
            let class = self.class(name);
            self.of_rows.push(class);
        }
    }

    /// The number of a class. Numbers are the same however they are written.
    fn class(&mut self, name: &str) -> u32 {
        let name = name.parse::<u8>().map_or_else(|_| name.to_string(), |number| number.to_string());
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let next = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, next);
        next
    }

    /// The class of a row, where it has one.
    pub(super) fn class_of(&self, row: u32) -> Option<&str> {
        self.of_rows.get(row as usize).map(|&class| self.names[class as usize].as_str())
    }

    /// What a row is called, where it has a name.
    pub(super) fn id_of(&self, row: u32) -> Option<&str> {
        self.ids.get(row as usize).map(String::as_str)
    }

    /// Makes numbers among the rows with words the numbers among all rows.
    pub(super) fn number(&self, rows: &mut [u32]) {
        // For each row without words: how many rows with words are before it.
        let before: Vec<u32> = self.wordless.iter().zip(0..).map(|(row, at)| row - at).collect();
        rows.iter_mut().for_each(|row| *row += before.partition_point(|before| *before <= *row) as u32);
    }

    /// How many neighbours have the label of their query, where both sides have labels; `own` are the queries' numbers
    /// where they are rows of the gallery themselves, and are not to count. Two files number their classes by
    /// themselves: what they call them is what counts.
    pub(super) fn hits(&mut self, found: &Neighbours, queries: &Dataset, own: Option<&[u32]>) -> Result<Option<Hits>> {
        let Some(labels) = queries.labels().filter(|labels| !labels.is_empty() && !self.of_rows.is_empty()) else { return Ok(None) };
        match own {
            Some(_) if found.k < 2 => Ok(None),
            Some(own) => found.hits_of_others(&self.of_rows, own).map(Some),
            None => {
                let asked: Vec<u32> = labels.iter().map(|&label| self.class(&queries.class_name(label))).collect();
                found.hits(&self.of_rows, &asked).map(Some)
            }
        }
    }
}

/// The rows that are all zeros, as those of texts without any known word.
pub(super) fn wordless(rows: &Dataset) -> impl Iterator<Item = usize> {
    (0..rows.len()).filter(|&at| rows.rows_f32(at..at + 1).iter().all(|&x| x == 0.0))
}
