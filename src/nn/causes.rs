//! Why a row has its score: the columns that make most of it.

use super::Autoencoder;
use super::rows::{Pass, Way, mean_square};
use crate::Result;
use crate::data::{Chunk, Chunks, Rows, Scaler, Values};
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
    /// One number a row.
    pub scores: Rows,
    /// Those of each row, the largest share of its squared error first; of several networks, of the mean of theirs.
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
            let field = |(name, columns, categories)| Field { name, columns, categories };
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

    /// With this share of the error, the reconstruction as the network has it, and a row and its reconstruction in
    /// their own units.
    fn cause(&self, share: f64, y: &[f32], own: &[f64], back: &[f64]) -> Cause {
        let (value, back) = (self.entry(own, |number| number > 0.0), self.entry(back, |_| true));
        // The same category in both says nothing, but how sure the network is.
        let reconstruction = match &back {
            Entry::Category(Some(name)) if value == back => Entry::Doubted(name.clone(), self.largest(y)),
            _ => back,
        };
        Cause { name: self.name.clone(), columns: self.columns.clone(), share, value, reconstruction }
    }
}

/// What names the columns of a row that make most of its error.
pub(super) struct Blame {
    fields: Vec<Field>,
    scaler: Option<Scaler>,
    columns: usize,
    most: usize,
}

impl Blame {
    /// At most `most` columns a row.
    pub(super) fn new(ae: &Autoencoder, most: usize) -> Blame {
        Blame { fields: Field::all(ae), scaler: ae.scaler().cloned(), columns: ae.inputs(), most }
    }

    /// The columns of each row with the largest squared errors, mean over some networks: `x` as these see the rows,
    /// `values` as they are, and a reconstruction by each network.
    pub(super) fn causes(&self, values: &Values, x: &[f32], all: &[Vec<f32>]) -> Vec<Vec<Cause>> {
        if self.most == 0 {
            return vec![Vec::new(); x.len() / self.columns];
        }
        let mean = |at: usize| (all.iter().map(|y| f64::from(y[at])).sum::<f64>() / all.len() as f64) as f32;
        let y: Vec<f32> = if let [y] = all { y.clone() } else { (0..x.len()).map(mean).collect() };
        let back = self.scaler.as_ref().map_or_else(|| y.iter().map(|&y| f64::from(y)).collect(), |scaler| scaler.undo(&y));
        let own = values.f64(0..values.len());
        let square = |at: usize| all.iter().map(|y| (f64::from(x[at]) - f64::from(y[at])).powi(2)).sum::<f64>() / all.len() as f64;
        let row = |at: usize| {
            let span = at * self.columns..(at + 1) * self.columns;
            let sum = |field: &Field| field.columns.clone().map(|column| square(span.start + column)).sum();
            let mut squares: Vec<(f64, &Field)> = self.fields.iter().map(|field| (sum(field), field)).collect();
            let whole = squares.iter().map(|(square, _)| square).sum::<f64>().max(f64::MIN_POSITIVE);
            // Equal ones stay in the order of the file.
            squares.sort_by(|a, b| b.0.total_cmp(&a.0));
            let (y, own, back) = (&y[span.clone()], &own[span.clone()], &back[span]);
            squares.into_iter().take(self.most).map(|(square, field)| field.cause(square / whole, y, own, back)).collect()
        };
        (0..values.len() / self.columns).map(row).collect()
    }
}

/// The scores of a stream, and the columns that make most of each: at most `most` of a row.
pub(super) fn explained(ae: &Autoencoder, rows: Chunks, most: usize) -> Result<impl Iterator<Item = Result<Explained>>> {
    let (blame, columns) = (Blame::new(ae, most), ae.inputs());
    let mut pass = Pass::new(ae, Way::Compare, &rows)?;
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids, .. } = chunk?;
        let x = pass.seen(&values)?;
        let y = pass.run(&x)?;
        let scores = x.chunks(columns).zip(y.chunks(columns)).map(|(x, y)| mean_square(x, y) as f32).collect();
        Ok(Explained { causes: blame.causes(&values, &x, &[y]), scores: Rows::new(1, scores).with_ids(ids) })
    }))
}
