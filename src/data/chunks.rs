//! Rows from memory, a file or a pipe, a chunk at a time, so that no more than a chunk is in memory.

#[cfg(feature = "files")]
use super::dataset::image_dims;
use super::dataset::{Dataset, check_finite, check_rows};
use super::values::Values;
#[cfg(feature = "files")]
use super::{npy::NpyRows, table_rows::TableRows};
#[cfg(feature = "files")]
use crate::Error;
use crate::Result;
use std::fmt;
#[cfg(feature = "files")]
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "files")]
use std::time::Duration;

/// The most rows in a chunk, and the most numbers, unless a single row has more.
const ROWS: usize = 1024;
const NUMBERS: usize = 1 << 20;
/// How long a chunk that has begun waits for the next row: longer than a program that writes as fast as it can pauses,
/// shorter than a person notices.
#[cfg(feature = "files")]
const PAUSE: Duration = Duration::from_millis(20);

/// Whole rows of a stream, one after the other.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Their elements.
    pub values: Values,
    /// What they are called, where the source says so: a text for each row.
    pub ids: Option<Vec<String>>,
    /// What the class of each is called, where [`Chunks::with_classes`] asks for it and the source has labels.
    pub classes: Option<Vec<String>>,
}

#[cfg(feature = "files")]
impl Chunk {
    /// Appends the rows that follow in the same source.
    fn append(&mut self, next: Chunk) {
        self.values.append(next.values);
        for (texts, next) in [(&mut self.ids, next.ids), (&mut self.classes, next.classes)] {
            if let (Some(texts), Some(next)) = (texts, next) {
                texts.extend(next);
            }
        }
    }
}

impl<V: Into<Values>> From<V> for Chunk {
    fn from(values: V) -> Chunk {
        Chunk { values: values.into(), ids: None, classes: None }
    }
}

/// An iterator over the rows of a data set, a file or a pipe, in chunks of bounded size: each item holds whole rows,
/// one after the other. It ends after the first error. See [`Dataset::chunks`] and `data::Options::stream`.
pub struct Chunks {
    source: Source,
    columns: usize,
    rows: usize,
    done: bool,
    remarks: Remarks,
    watch: Option<Watch>,
    /// Whether ids are left out.
    anonymous: bool,
    /// Whether classes are wanted.
    classes: bool,
}

type Watch = Box<dyn FnMut(&Chunk) + Send>;

/// What is known of a stream only at its end, a sentence each without a full stop: a handle to keep while the stream is
/// consumed.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    /// The sentences; none before the end.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

enum Source {
    Memory(Dataset, usize),
    Other(String, Box<dyn Iterator<Item = Result<Chunk>> + Send>),
    #[cfg(feature = "files")]
    Table(Box<TableRows>),
    #[cfg(feature = "files")]
    Npy(NpyRows),
    #[cfg(feature = "files")]
    Ahead(Ahead),
}

/// Rows that a thread reads, one by one, from a source that may have none for now.
#[cfg(feature = "files")]
struct Ahead {
    name: String,
    names: Option<Vec<String>>,
    notes: Vec<String>,
    id: Option<String>,
    image_dims: Option<[usize; 3]>,
    rows: Receiver<Result<Chunk>>,
    /// What went wrong behind the rows that were taken last.
    failed: Option<Error>,
}

#[cfg(feature = "files")]
impl Ahead {
    /// Waits for a row, and takes those that follow without a pause. Rows before one that fails are given first.
    fn take(&mut self, most: usize) -> Result<Chunk> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let mut chunk = self.rows.recv().unwrap_or_else(|_| Ok(Vec::<f32>::new().into()))?;
        for _ in 1..most {
            match self.rows.recv_timeout(PAUSE) {
                Ok(Ok(row)) => chunk.append(row),
                Ok(Err(e)) => {
                    self.failed = Some(e);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(chunk)
    }
}

impl Chunks {
    fn new(source: Source, columns: usize) -> Chunks {
        let rows = (NUMBERS / columns.max(1)).clamp(1, ROWS);
        Chunks { source, columns, rows, done: false, remarks: Remarks::default(), watch: None, anonymous: false, classes: false }
    }

    /// The rows of your own iterator, whose items hold whole rows of `columns` numbers. Errors call it `name`.
    pub fn of<V: Into<Values>>(name: &str, columns: usize, chunks: impl Iterator<Item = Result<V>> + Send + 'static) -> Chunks {
        Chunks::new(Source::Other(name.into(), Box::new(chunks.map(|chunk| chunk.map(Chunk::from)))), columns)
    }

    /// The same rows; `f` sees each chunk as it is read.
    pub fn watch(mut self, f: impl FnMut(&Chunk) + Send + 'static) -> Chunks {
        self.watch = Some(Box::new(f));
        self
    }

    /// The same rows without their ids.
    pub fn without_ids(mut self) -> Chunks {
        self.anonymous = true;
        self
    }

    /// The same rows with their classes, where they come from memory or a table with labels. Those of a pipe and of an
    /// npz file have none.
    pub fn with_classes(mut self) -> Chunks {
        self.classes = true;
        self
    }

    /// At most so many of the rows, and how they were chosen, in words, if they may not be all: of rows in memory every
    /// so many, so that what follows each other there has its share; of others the first.
    ///
    /// # Errors
    /// As the iterator's.
    pub fn some(mut self, most: usize) -> Result<(Dataset, Option<String>)> {
        if let Source::Memory(data, _) = &self.source {
            let (count, most) = (data.len(), most.max(1));
            let rows: Vec<u32> = (0..count.min(most)).map(|at| (at * count / count.min(most)) as u32).collect();
            let some = data.pick(&rows);
            if let Some(watch) = &mut self.watch {
                watch(&Chunk::from(some.values().clone()));
            }
            let chosen = (count > most).then(|| format!("{most} of {count} rows, taken evenly from their order"));
            return Ok((some, chosen));
        }
        let (name, columns) = (self.name(), self.columns);
        let first = self.next().transpose()?.map_or_else(|| Vec::<f32>::new().into(), |chunk| chunk.values);
        let some = Dataset::from_values(&name, first, &[columns])?.head(most);
        let chosen = (some.len() == most).then(|| format!("the first {most} rows"));
        Ok((some, chosen))
    }

    /// The numbers in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The names of the columns, where the source has a header.
    pub fn names(&self) -> Option<Vec<String>> {
        match &self.source {
            Source::Memory(data, _) => data.names(),
            #[cfg(feature = "files")]
            Source::Table(rows) => rows.schema().names(),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => ahead.names.clone(),
            _ => None,
        }
    }

    /// What a reader leaves out or changes, as [`Dataset::notes`] has it, as far as it is known at the beginning.
    pub fn notes(&self) -> &[String] {
        match &self.source {
            Source::Memory(data, _) => data.notes(),
            #[cfg(feature = "files")]
            Source::Table(rows) => rows.notes(),
            #[cfg(feature = "files")]
            Source::Npy(rows) => rows.notes(),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => &ahead.notes,
            Source::Other(..) => &[],
        }
    }

    /// What is known only at the end: rows that were left out, categories that training did not have.
    pub fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    /// What the rows' ids are called, where the source has ids.
    pub fn id(&self) -> Option<&str> {
        match &self.source {
            _ if self.anonymous => None,
            Source::Memory(data, _) => data.id(),
            #[cfg(feature = "files")]
            Source::Table(rows) => rows.id(),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => ahead.id.as_deref(),
            _ => None,
        }
    }

    /// [channels, height, width] where a row is an image, as [`Dataset::image_dims`] has it.
    pub fn image_dims(&self) -> Option<[usize; 3]> {
        match &self.source {
            Source::Memory(data, _) => data.image_dims(),
            #[cfg(feature = "files")]
            Source::Npy(rows) => image_dims(&rows.dims()),
            #[cfg(feature = "files")]
            Source::Table(rows) => image_dims(&rows.schema().row_dims()),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => ahead.image_dims,
            _ => None,
        }
    }

    /// What errors call the source.
    pub fn name(&self) -> String {
        match &self.source {
            Source::Memory(data, _) => data.name().to_string(),
            Source::Other(name, _) => name.clone(),
            #[cfg(feature = "files")]
            Source::Table(rows) => rows.path().display().to_string(),
            #[cfg(feature = "files")]
            Source::Npy(rows) => rows.path().display().to_string(),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => ahead.name.clone(),
        }
    }

    /// The same rows, in chunks that end where the source has no more for now.
    #[cfg(feature = "files")]
    pub(super) fn read_ahead(mut self) -> Result<Chunks> {
        let (columns, most) = (self.columns, self.rows);
        let (send, rows) = sync_channel(most);
        let ahead = Ahead {
            name: self.name(),
            names: self.names(),
            notes: self.notes().to_vec(),
            id: self.id().map(str::to_string),
            image_dims: self.image_dims(),
            rows,
            failed: None,
        };
        let remarks = self.remarks.clone();
        self.rows = 1;
        let read = move || drop(self.try_for_each(|row| send.send(row)));
        std::thread::Builder::new().spawn(read).map_err(|e| Error::io(&ahead.name, "starting a thread that reads", e))?;
        Ok(Chunks {
            source: Source::Ahead(ahead),
            columns,
            rows: most,
            done: false,
            remarks,
            watch: None,
            anonymous: false,
            classes: false,
        })
    }

    /// The next rows; none at the end.
    fn take(&mut self) -> Result<Chunk> {
        match &mut self.source {
            Source::Memory(data, at) => {
                let part = data.rows(*at..*at + self.rows);
                *at += self.rows;
                let name = |labels: &[u8]| labels.iter().map(|&label| data.class_name(label)).collect();
                let classes = part.labels().filter(|_| self.classes).map(name);
                Ok(Chunk { ids: part.ids().map(<[String]>::to_vec), classes, values: Arc::unwrap_or_clone(part.values) })
            }
            Source::Other(name, chunks) => match chunks.find(|chunk| !matches!(chunk, Ok(chunk) if chunk.values.is_empty())) {
                Some(Ok(chunk)) => {
                    check_rows(name, chunk.values.len(), &[self.columns])?;
                    check_finite(name, &chunk.values, self.columns)?;
                    Ok(chunk)
                }
                Some(Err(e)) => Err(e),
                None => Ok(Vec::<f32>::new().into()),
            },
            #[cfg(feature = "files")]
            Source::Table(rows) => {
                let chunk = rows.take(self.rows, self.classes)?;
                if chunk.values.is_empty() {
                    *self.remarks.0.lock().unwrap_or_else(PoisonError::into_inner) = rows.remarks();
                }
                Ok(chunk)
            }
            #[cfg(feature = "files")]
            Source::Npy(rows) => rows.take(self.rows).map(Chunk::from),
            #[cfg(feature = "files")]
            Source::Ahead(ahead) => ahead.take(self.rows),
        }
    }
}

#[cfg(feature = "files")]
impl From<TableRows> for Chunks {
    fn from(rows: TableRows) -> Chunks {
        let columns = rows.schema().columns();
        Chunks::new(Source::Table(Box::new(rows)), columns)
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
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        if self.done {
            return None;
        }
        let mut chunk = self.take();
        if let (Ok(chunk), true) = (&mut chunk, self.anonymous) {
            chunk.ids = None;
        }
        self.done = !matches!(&chunk, Ok(chunk) if !chunk.values.is_empty());
        if let (Ok(chunk), Some(watch)) = (&chunk, &mut self.watch) {
            watch(chunk);
        }
        match chunk {
            Ok(chunk) if chunk.values.is_empty() => None,
            chunk => Some(chunk),
        }
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Chunks").field("name", &self.name()).field("columns", &self.columns).finish()
    }
}
