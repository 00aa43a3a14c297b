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
}

impl<T> Rows<T> {
    /// Rows of `columns` numbers; numbers that make no whole row are left out.
    pub fn new(columns: usize, mut values: Vec<T>) -> Rows<T> {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        values.truncate(rows * columns);
        Rows { rows, columns, values, ids: None }
    }

    /// The same rows with what each is called.
    pub fn with_ids(self, ids: Option<Vec<String>>) -> Rows<T> {
        Rows { ids, ..self }
    }
}
