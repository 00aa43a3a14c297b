//! Why a row has its score: the columns that make most of it.

use super::Autoencoder;
use super::rows::{Pass, Way, mean_square};
use crate::Result;
use crate::data::{Chunk, Chunks, Rows};
use std::fmt;
use std::ops::Range;

/// A column of a table, and how much of a row's error it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What the column is called; `x_3` where it has no name.
    pub name: String,
    /// Its numbers in a row: one, or one for each category.
    pub columns: Range<usize>,
    /// Its part of the sum over the row of (x - y)^2, as the network sees the row.
    pub share: f64,
    /// What the row has there.
    pub value: Entry,
    /// What its reconstruction has there.
    pub reconstruction: Entry,
}

/// What stands in a column, in the units of the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A number.
    Number(f64),
    /// A category: of a reconstruction the one with the largest number. None for one that the training did not have.
    Category(Option<String>),
    /// Of a reconstruction, the category that the row has: the network has this number for it, where 1 is certain and
    /// that of any other is smaller.
    Doubted(String, f64),
}

impl fmt::Display for Entry {
    /// A number with all its digits, as tables of rows have it, or the name of the category; `GB (0.42)` is one that
    /// the row has.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Entry::Number(x) if *x == 0.0 || (1e-5..1e16).contains(&x.abs()) || !x.is_finite() => write!(f, "{x}"),
            Entry::Number(x) => write!(f, "{x:e}"),
            Entry::Category(name) => f.write_str(name.as_deref().unwrap_or_default()),
            Entry::Doubted(name, number) => write!(f, "{name} ({number:.2})"),
        }
    }
}

/// The scores of some rows, and for each row the columns that make most of its score.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// One number a row, as [`Autoencoder::score`] gives it.
    pub scores: Rows,
    /// Those of each row, the largest share first.
    pub causes: Vec<Vec<Cause>>,
}

/// A column of the file.
struct Field {
    name: String,
    columns: Range<usize>,
    /// None where it is a number.
    categories: Vec<String>,
}

impl Field {
    fn all(ae: &Autoencoder) -> Vec<Field> {
        #[cfg(feature = "files")]
        if let Some(fields) = ae.schema().map(|schema| schema.in_rows()).filter(|fields| !fields.is_empty()) {
            let mut next = 0;
            let field = |(name, categories): (String, Vec<String>)| {
                let from = next;
                next += categories.len().max(1);
                Field { name, columns: from..next, categories }
            };
            return fields.into_iter().map(field).collect();
        }
        (0..ae.inputs()).map(|at| Field { name: format!("x_{at}"), columns: at..at + 1, categories: Vec::new() }).collect()
    }

    /// The largest of the numbers of a row that stand here.
    fn largest(&self, row: &[f32]) -> f64 {
        row[self.columns.clone()].iter().fold(f64::NEG_INFINITY, |most, &x| most.max(f64::from(x)))
    }

    /// What stands here, by the numbers of a row.
    fn entry(&self, row: &[f64], is_known: impl Fn(f64) -> bool) -> Entry {
        let numbers = &row[self.columns.clone()];
        if self.categories.is_empty() {
            return Entry::Number(numbers[0]);
        }
        let largest = (0..numbers.len()).reduce(|best, at| if numbers[at] > numbers[best] { at } else { best });
        Entry::Category(largest.filter(|&at| is_known(numbers[at])).map(|at| self.categories[at].clone()))
    }
}

/// The scores of a stream, and the columns that make most of each: at most `most` of a row.
pub(super) fn explained(ae: &Autoencoder, rows: Chunks, most: usize) -> Result<impl Iterator<Item = Result<Explained>>> {
    let (fields, columns) = (Field::all(ae), ae.inputs());
    let mut pass = Pass::new(ae, Way::Compare, &rows)?;
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids, .. } = chunk?;
        let x = pass.seen(&values)?;
        let y = pass.run(&x)?;
        let back = ae.scaler().map_or_else(|| y.iter().map(|&y| f64::from(y)).collect(), |scaler| scaler.undo(&y));
        let own = values.f64(0..values.len());
        let row = |at: usize| {
            let span = at * columns..(at + 1) * columns;
            let (x, y, own, back) = (&x[span.clone()], &y[span.clone()], &own[span.clone()], &back[span]);
            let square = |at: usize| (f64::from(x[at]) - f64::from(y[at])).powi(2);
            let mut squares: Vec<(f64, &Field)> = fields.iter().map(|field| (field.columns.clone().map(square).sum(), field)).collect();
            let whole = squares.iter().map(|(square, _)| square).sum::<f64>().max(f64::MIN_POSITIVE);
            // Equal ones stay in the order of the file.
            squares.sort_by(|a, b| b.0.total_cmp(&a.0));
            let cause = |(square, field): (f64, &Field)| {
                let (value, back) = (field.entry(own, |number| number > 0.0), field.entry(back, |_| true));
                // The same category in both says nothing, but how sure the network is.
                let reconstruction = match &back {
                    Entry::Category(Some(name)) if value == back => Entry::Doubted(name.clone(), field.largest(y)),
                    _ => back,
                };
                Cause { name: field.name.clone(), columns: field.columns.clone(), share: square / whole, value, reconstruction }
            };
            (mean_square(x, y) as f32, squares.into_iter().take(most).map(cause).collect())
        };
        let (scores, causes) = (0..values.len() / columns).map(row).unzip();
        Ok(Explained { scores: Rows::new(1, scores).with_ids(ids), causes })
    }))
}
