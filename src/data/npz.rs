//! Archives of arrays in numpy's npz format: zip, with an npy file for each array, stored or deflated.
//!
//! What is read of an array is checked against the archive's checksum when its end is reached.

use super::dataset::Dataset;
use super::labels::Labels;
use super::npy::{Header, NpyRows};
use super::source::{Source, Unpacking, failed};
use crate::spelling::shorten;
use crate::{Error, Result};
use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, ErrorKind, FileReader, RECOMMENDED_BUFFER_SIZE, RangeReader, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator,
};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The array that holds the rows, where several are there and none is named: the first of these.
const ROWS: [&str; 4] = ["X", "x", "X_train", "x_train"];
/// How many arrays an error names.
const SHOWN: usize = 20;
const REMEDY: &str = "Save it again: numpy.savez(file, X=array).";

/// An archive of arrays.
pub(super) struct Npz {
    path: PathBuf,
    archive: ZipArchive<Arc<FileReader>>,
    arrays: Vec<Array>,
}

struct Array {
    name: String,
    at: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
}

impl Npz {
    /// Opens the file and reads the list of its arrays.
    pub(super) fn open(path: &Path) -> Result<Npz> {
        let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
        let size = file.metadata().map_err(|e| Error::io(path, "reading its size", e))?.len();
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let found = ZipLocator::new().locate_in_reader(Arc::new(FileReader::from(file)), &mut buffer, size);
        let archive = found.map_err(|(_, e)| damaged(path, e))?;
        let mut arrays = Vec::new();
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(|e| damaged(path, e))? {
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            if let Some(name) = name.strip_suffix(".npy") {
                arrays.push(Array { name: name.into(), at: entry.wayfinder(), method: entry.compression_method() });
            }
        }
        Ok(Npz { path: path.into(), archive, arrays })
    }

    /// The array `wanted`; by default the only one beside the labels, or one that is named as rows usually are.
    pub(super) fn rows(&self, wanted: Option<&str>, label: Option<&str>) -> Result<NpyRows> {
        if let Some(name) = wanted {
            return self.open_rows(self.find(name)?);
        }
        let others: Vec<&Array> = self.arrays.iter().filter(|array| Some(array.name.as_str()) != label).collect();
        let usual = || ROWS.iter().find_map(|name| others.iter().find(|array| array.name == *name));
        match (&others[..], usual()) {
            ([], _) => Err(Error::data(&self.path, "there is no array of rows in it", REMEDY)),
            ([only], _) => self.open_rows(only),
            (_, Some(array)) => {
                let note = format!("{}: the rows are its array {}, and --array names another", self.path.display(), array.name);
                Ok(self.open_rows(array)?.noted(note))
            }
            _ => Err(Error::data(&self.path, format!("its arrays are {}", self.list()), "Name the one with the rows: --array NAME.")),
        }
    }

    /// Reads all rows of such an array, and their labels.
    pub(super) fn everything(&self, wanted: Option<&str>, label: Option<&str>) -> Result<Dataset> {
        let data = self.rows(wanted, label)?.everything()?;
        let Some(label) = label else { return Ok(data) };
        let all: Vec<u32> = (0..data.len() as u32).collect();
        let (labels, classes) = self.labels(self.find(label)?, data.len())?.of(&all);
        let data = match labels {
            Some(labels) => data.with_labels(labels)?,
            None => data,
        };
        Ok(match classes {
            Some(classes) => data.with_classes(classes),
            None => data,
        })
    }

    fn find(&self, name: &str) -> Result<&Array> {
        self.arrays.iter().find(|array| array.name == name).ok_or_else(|| {
            let problem = format!("no array is called `{}`: there are {}", shorten(name), self.list());
            Error::data(&self.path, problem, "Name one of these.")
        })
    }

    /// The names and shapes of the arrays.
    fn list(&self) -> String {
        let shown = self.arrays.iter().take(SHOWN).map(|array| {
            let header = self.source(array).and_then(|(path, mut source)| Header::read(&path, &mut source));
            let shape = header.map_or("damaged".into(), |header| format!("{:?}", header.shape));
            format!("{} {shape}", shorten(&array.name))
        });
        let more = if self.arrays.len() > SHOWN { Some(format!("{} more", self.arrays.len() - SHOWN)) } else { None };
        shown.chain(more).collect::<Vec<_>>().join(", ")
    }

    fn open_rows(&self, array: &Array) -> Result<NpyRows> {
        let (path, source) = self.source(array)?;
        NpyRows::piped(&path, source)
    }

    /// The npy file of an array, and what errors call it.
    fn source(&self, array: &Array) -> Result<(PathBuf, Source)> {
        let path = PathBuf::from(format!("{}[{}]", self.path.display(), shorten(&array.name)));
        let entry = self.archive.get_entry(array.at).map_err(|e| damaged(&self.path, e))?;
        let (start, end) = entry.compressed_data_range();
        let bytes = RangeReader::new(self.archive.get_ref().clone(), start..end);
        let unpacked: Source = match array.method {
            CompressionMethod::STORE => Box::new(entry.verifying_reader(bytes)),
            CompressionMethod::DEFLATE => Box::new(entry.verifying_reader(DeflateDecoder::new(bytes))),
            _ => return Err(Error::data(path, "it is neither stored nor deflated", REMEDY)),
        };
        Ok((path.clone(), Box::new(Unpacking { path, what: "zip archive", reader: unpacked })))
    }

    /// Reads the labels, one for each of the rows.
    fn labels(&self, array: &Array, rows: usize) -> Result<Labels> {
        let (path, mut source) = self.source(array)?;
        let header = Header::read(&path, &mut source)?;
        let bad = |problem: String| Error::data(&path, problem, "Name an array with a number for each row: --label NAME.");
        if !matches!(header.shape[..], [n] | [n, 1] if n == rows as u64) {
            return Err(bad(format!("its shape is {:?}, and there are {rows} rows", header.shape)));
        }
        let (mut bytes, count) = (Vec::new(), rows * header.element.bytes());
        source.take(count as u64 + 1).read_to_end(&mut bytes).map_err(|e| failed(&path, e))?;
        if bytes.len() != count {
            let other = if bytes.len() < count { "fewer" } else { "more" };
            return Err(bad(format!("{rows} labels take {count} bytes, and there are {other}")));
        }
        let mut numbers = Vec::with_capacity(rows);
        header.element.each(bytes, |x| numbers.push(x));
        let mut labels = Labels::default();
        for (row, x) in numbers.into_iter().enumerate() {
            labels.push(&x.to_string()).map_err(|problem| bad(format!("row {row} (counted from 0): {problem}")))?;
        }
        Ok(labels)
    }
}

fn damaged(path: &Path, error: rawzip::Error) -> Error {
    match error.into_kind() {
        ErrorKind::IO(error) if error.kind() != io::ErrorKind::UnexpectedEof => Error::io(path, "reading", error),
        other => Error::data(path, format!("it is no zip archive, or a damaged one ({other})"), REMEDY),
    }
}
