//! How rows that a network has made are written.

use super::apply::columns;
use super::common::{ends_in, table};
use narrows::data::{RowWriter, Rows, Worded};
use narrows::{Autoencoder, Result};
use std::path::Path;

/// The columns of rows that a network makes: in CSV as people write tables, so that such a file can be read like the
/// one that the network was trained on; else numbers alone.
pub(super) struct Made {
    columns: Vec<String>,
    worded: Option<Worded>,
}

impl Made {
    /// For this file, or stdout.
    pub(super) fn new(ae: &Autoencoder, out: Option<&Path>) -> Made {
        let has_names = out.is_none_or(|path| !ends_in(path, "npy"));
        Made { columns: columns(ae), worded: ae.schema().filter(|_| has_names).and_then(Worded::of) }
    }

    /// The file, with one more column of text where it is named.
    pub(super) fn table(&self, out: Option<&Path>, last: Option<&str>) -> Result<RowWriter> {
        let (numbers, names) = self.worded.as_ref().map_or((&self.columns[..], &[][..]), |worded| (worded.numbers(), worded.names()));
        let texts: Vec<&str> = names.iter().map(String::as_str).chain(last).collect();
        Ok(table(out, numbers)?.with_texts(&texts))
    }

    /// Rows as they are written.
    pub(super) fn rows(&self, rows: Rows<f64>) -> Result<Rows<f64>> {
        match &self.worded {
            Some(worded) => worded.rows(&rows),
            None => Ok(rows),
        }
    }
}
