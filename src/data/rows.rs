//! What a network makes of rows.

/// Rows of floats on the host.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<T = f32> {
    /// How many rows.
    pub rows: usize,
    /// How many numbers in each.
    pub columns: usize,
    /// All numbers, row by row.
    pub values: Vec<T>,
    /// What the rows are called, where what they come from says so.
    pub ids: Option<Vec<String>>,
    /// Texts beside the numbers, row by row: as many for each row.
    pub texts: Vec<String>,
}

impl<T> Rows<T> {
    /// Rows of `columns` numbers; numbers that make no whole row are left out.
    pub fn new(columns: usize, mut values: Vec<T>) -> Rows<T> {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        values.truncate(rows * columns);
        Rows { rows, columns, values, ids: None, texts: Vec::new() }
    }

    /// The same rows with what each is called.
    pub fn with_ids(self, ids: Option<Vec<String>>) -> Rows<T> {
        Rows { ids, ..self }
    }

    /// The same rows with texts beside their numbers, as many for each row.
    pub fn with_texts(self, texts: Vec<String>) -> Rows<T> {
        Rows { texts, ..self }
    }
}
