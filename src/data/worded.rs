//! Rows as people write tables: categories by their names.

use super::rows::Rows;
use super::schema::Schema;
use super::write::Number;
use crate::{Error, Result};
use std::ops::Range;

/// The columns of a table with categories, as its file has them: first those of numbers, then those of names.
///
/// ```no_run
/// use narrows::data::{Options, Worded};
/// let table = Options::default().read("payments.csv")?;
/// if let Some(worded) = table.schema().and_then(Worded::of) {
///     println!("{:?} {:?}", worded.numbers(), worded.names());
/// }
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Worded {
    numbers: Vec<String>,
    /// Where each stands in a row.
    places: Vec<usize>,
    names: Vec<String>,
    /// Where the numbers of each stand in a row, and what the categories are called.
    categories: Vec<(Range<usize>, Vec<String>)>,
}

impl Worded {
    /// Those of a schema; none if it has no categories, or nothing else.
    pub fn of(schema: &Schema) -> Option<Worded> {
        let mut worded = Worded { numbers: Vec::new(), places: Vec::new(), names: Vec::new(), categories: Vec::new() };
        for (name, span, categories) in schema.in_rows() {
            if categories.is_empty() {
                worded.numbers.push(name);
                worded.places.push(span.start);
            } else {
                worded.names.push(name);
                worded.categories.push((span, categories));
            }
        }
        (!worded.names.is_empty() && !worded.numbers.is_empty()).then_some(worded)
    }

    /// What the columns of numbers are called.
    pub fn numbers(&self) -> &[String] {
        &self.numbers
    }

    /// What the columns of names are called.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The rows in these columns: in a column of names the category with the largest number; of equals the first. Texts
    /// that stand beside the rows follow.
    ///
    /// # Errors
    /// When the rows have another number of columns than those of the schema.
    pub fn rows<T: Number>(&self, rows: &Rows<T>) -> Result<Rows<T>> {
        let columns = self.places.len() + self.categories.iter().map(|(span, _)| span.len()).sum::<usize>();
        if rows.columns != columns {
            let problem = format!("they have {} numbers, and the schema's {columns}", rows.columns);
            return Err(Error::argument("rows", problem, "Pass rows of the schema."));
        }
        let beside = rows.texts.len().checked_div(rows.rows).unwrap_or(0);
        let (mut values, mut texts) = (Vec::with_capacity(rows.rows * self.places.len()), Vec::new());
        for (at, row) in rows.values.chunks(rows.columns).enumerate() {
            values.extend(self.places.iter().map(|&place| row[place]));
            texts.extend(self.categories.iter().map(|(span, names)| {
                let numbers = &row[span.clone()];
                let largest =
                    (0..numbers.len()).fold(0, |most, next| if numbers[next].into() > numbers[most].into() { next } else { most });
                names[largest].clone()
            }));
            texts.extend_from_slice(&rows.texts[at * beside..(at + 1) * beside]);
        }
        Ok(Rows::new(self.places.len(), values).with_ids(rows.ids.clone()).with_texts(texts))
    }
}
