//! Rows from memory, a file or a pipe, a chunk at a time, so that no more than a chunk is in memory.

use super::{Dataset, check_finite, check_rows};
#[cfg(feature = "files")]
use super::{csv::CsvRows, npy::NpyRows};
use crate::Result;
use std::fmt;

/// The most rows in a chunk, and the most numbers, unless a single row has more.
const ROWS: usize = 1024;
const NUMBERS: usize = 1 << 20;

/// An iterator over the rows of a data set, a file or a pipe, in chunks of bounded size: each item holds whole rows,
/// one after the other. It ends after the first error. See [`Dataset::chunks`] and `data::Options::stream`.
pub struct Chunks {
    source: Source,
    columns: usize,
    rows: usize,
    done: bool,
}

enum Source {
    Memory(Dataset, usize),
    Other(String, Box<dyn Iterator<Item = Result<Vec<f32>>> + Send>),
    #[cfg(feature = "files")]
    Csv(CsvRows),
    #[cfg(feature = "files")]
    Npy(NpyRows),
}

impl Chunks {
    fn new(source: Source, columns: usize) -> Chunks {
        Chunks { source, columns, rows: (NUMBERS / columns.max(1)).clamp(1, ROWS), done: false }
    }

    /// The rows of your own iterator, whose items hold whole rows of `columns` numbers. Errors call it `name`.
    pub fn of(name: &str, columns: usize, chunks: impl Iterator<Item = Result<Vec<f32>>> + Send + 'static) -> Chunks {
        Chunks::new(Source::Other(name.into(), Box::new(chunks)), columns)
    }

    /// The numbers in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The names of the columns, where the source has a header.
    pub fn names(&self) -> Option<&[String]> {
        match &self.source {
            #[cfg(feature = "files")]
            Source::Csv(rows) => rows.names(),
            _ => None,
        }
    }

    /// What a reader left out or changed so far, as [`Dataset::notes`] has it.
    pub fn notes(&self) -> &[String] {
        match &self.source {
            Source::Memory(data, _) => data.notes(),
            _ => &[],
        }
    }

    /// (height, width) where a row is one grey image.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        match &self.source {
            Source::Memory(data, _) => data.image_size(),
            #[cfg(feature = "files")]
            Source::Npy(rows) => super::image_size(rows.dims()),
            _ => None,
        }
    }

    /// What errors call the source.
    pub fn name(&self) -> String {
        match &self.source {
            Source::Memory(data, _) => data.name().to_string(),
            Source::Other(name, _) => name.clone(),
            #[cfg(feature = "files")]
            Source::Csv(rows) => rows.path().display().to_string(),
            #[cfg(feature = "files")]
            Source::Npy(rows) => rows.path().display().to_string(),
        }
    }

    /// The next rows; none at the end.
    fn take(&mut self) -> Result<Vec<f32>> {
        match &mut self.source {
            Source::Memory(data, at) => {
                let values = data.rows_f32(*at..*at + self.rows);
                *at += self.rows;
                Ok(values)
            }
            Source::Other(name, chunks) => match chunks.find(|chunk| !matches!(chunk, Ok(values) if values.is_empty())) {
                Some(Ok(values)) => {
                    check_rows(name, values.len(), &[self.columns])?;
                    check_finite(name, &values, self.columns)?;
                    Ok(values)
                }
                Some(Err(e)) => Err(e),
                None => Ok(Vec::new()),
            },
            #[cfg(feature = "files")]
            Source::Csv(rows) => {
                let mut values = Vec::with_capacity(self.rows * self.columns);
                rows.take(self.rows, &mut values, None)?;
                Ok(values)
            }
            #[cfg(feature = "files")]
            Source::Npy(rows) => rows.take_f32(self.rows),
        }
    }
}

#[cfg(feature = "files")]
impl From<CsvRows> for Chunks {
    fn from(rows: CsvRows) -> Chunks {
        let columns = rows.columns();
        Chunks::new(Source::Csv(rows), columns)
    }
}

#[cfg(feature = "files")]
impl From<NpyRows> for Chunks {
    fn from(rows: NpyRows) -> Chunks {
        let columns = rows.columns();
        Chunks::new(Source::Npy(rows), columns)
    }
}

impl Dataset {
    /// The rows in chunks, as a file would be streamed.
    pub fn chunks(&self) -> Chunks {
        Chunks::new(Source::Memory(self.clone(), 0), self.columns())
    }
}

impl Iterator for Chunks {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Result<Vec<f32>>> {
        if self.done {
            return None;
        }
        let chunk = self.take();
        self.done = !matches!(&chunk, Ok(values) if !values.is_empty());
        match chunk {
            Ok(values) if values.is_empty() => None,
            chunk => Some(chunk),
        }
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Chunks").field("name", &self.name()).field("columns", &self.columns).finish()
    }
}
