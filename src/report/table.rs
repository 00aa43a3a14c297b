//! A table's part of the page: the error of each column, and the rows with the largest errors.

use super::charts::{counted, grouped, short, times, value};
use super::gallery::{name, worst};
use super::page::breakable;
use crate::data::Dataset;
use crate::nn::{Way, compare};
use crate::{Autoencoder, Result};
use std::fmt::Write;

/// Columns that are shown, and of each of the worst rows.
const COLUMNS: usize = 20;
const COLUMNS_OF_ROW: usize = 3;
/// The numbers from which the errors of columns are taken: those of the first rows.
const MOST_NUMBERS: usize = 1 << 23;
/// Steps of a histogram, and its size.
const STEPS: usize = 30;
const SPARK: (f64, f64) = (150.0, 30.0);

/// The part of the page.
pub(super) fn html(ae: &Autoencoder, test: &Dataset, errors: &[f64]) -> Result<String> {
    let names = test.names().unwrap_or_else(|| (0..test.columns()).map(|at| format!("column {at}")).collect());
    Ok(columns(ae, test, &names)? + &worst_rows(ae, test, &names, errors)?)
}

/// A column of the test rows and of their reconstructions, as the network sees it.
struct Column {
    at: usize,
    x: Vec<f32>,
    y: Vec<f32>,
    mse: f64,
    variance: f64,
}

impl Column {
    fn of(at: usize, rows: &[(Vec<f32>, Vec<f32>)]) -> Column {
        let (x, y): (Vec<f32>, Vec<f32>) = rows.iter().map(|(x, y)| (x[at], y[at])).unzip();
        let mean_of = |of: &dyn Fn(usize) -> f64| (0..x.len()).map(of).sum::<f64>() / x.len() as f64;
        let mean = mean_of(&|i| f64::from(x[i]));
        let variance = mean_of(&|i| (f64::from(x[i]) - mean).powi(2));
        let mse = mean_of(&|i| (f64::from(x[i]) - f64::from(y[i])).powi(2));
        Column { at, x, y, mse, variance }
    }

    /// The histogram of the column as an area, that of its reconstructions as a line.
    fn spark(&self) -> String {
        let (lo, hi) = self.x.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
        let step = |v: f32| ((f64::from(v) - f64::from(lo)) / (f64::from(hi) - f64::from(lo)) * STEPS as f64) as usize;
        let count = |values: &[f32]| {
            let mut counts = [0usize; STEPS];
            // A reconstruction may lie outside; a constant column is all in the first step.
            values.iter().for_each(|&v| counts[step(v).min(STEPS - 1)] += 1);
            counts
        };
        let (x, y) = (count(&self.x), count(&self.y));
        let (width, height) = SPARK;
        // Each is as high as its own highest step: reconstructions often lie closer together.
        let outline = |counts: &[usize; STEPS]| -> String {
            let most = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
            let place = |(i, &count): (usize, &usize)| {
                let (right, top) = (width * (i + 1) as f64 / STEPS as f64, 1.0 + (height - 2.0) * (1.0 - count as f64 / most));
                format!("V{top:.1}H{right:.1}")
            };
            counts.iter().enumerate().map(place).collect()
        };
        format!(
            "<svg class=\"spark\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"histogram\">\
             <path class=\"data\" d=\"M0 {height}{}V{height}z\"/><path class=\"back\" d=\"M0 {height}{}V{height}\"/></svg>",
            outline(&x),
            outline(&y)
        )
    }
}

fn columns(ae: &Autoencoder, test: &Dataset, names: &[String]) -> Result<String> {
    let some = test.head((MOST_NUMBERS / test.columns()).max(1));
    let rows = compare(ae, &some, Way::Compare, |x, y| (x.to_vec(), y.to_vec()))?;
    let mut columns: Vec<Column> = (0..test.columns()).map(|at| Column::of(at, &rows)).collect();
    columns.sort_by(|a, b| b.mse.total_cmp(&a.mse));
    let which = if columns.len() > COLUMNS {
        format!("The {COLUMNS} of {} columns with the largest errors. ", grouped(columns.len()))
    } else {
        String::new()
    };
    let of = if some.len() < test.len() { format!("first {} ", grouped(some.len())) } else { String::new() };
    columns.truncate(COLUMNS);
    let mut out = String::from(
        "<section><h2>Test error by column</h2><div class=\"scroll\"><table class=\"columns\"><thead><tr><th></th><th></th><th>MSE</th><th>of its variance</th></tr></thead><tbody>",
    );
    for column in &columns {
        let share = match column.mse / column.variance {
            _ if column.variance == 0.0 => "constant".into(),
            ..10.0 => format!("{:.0} %", 100.0 * column.mse / column.variance),
            ratio => format!("{} times", times(ratio)),
        };
        let name = breakable(&names[column.at]);
        let _ = write!(out, "<tr><th>{name}</th><td>{}</td><td>{}</td><td>{share}</td></tr>", column.spark(), short(column.mse));
    }
    let _ = writeln!(
        out,
        "</tbody></table></div><p class=\"note\">{which}Grey: how the values of the {of}test rows are distributed; the line: those of their \
         reconstructions. The error is that of the columns as the network sees them. 100 % of the variance is the error of the column's mean.</p></section>"
    );
    Ok(out)
}

fn worst_rows(ae: &Autoencoder, test: &Dataset, names: &[String], errors: &[f64]) -> Result<String> {
    let (worst, columns) = (worst(errors), test.columns());
    let x: Vec<f64> = worst.iter().flat_map(|&row| test.rows_f64(row..row + 1)).collect();
    let rows = Dataset::from_values(test.name(), x.clone().into(), &[columns])?;
    let squares = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).collect();
    let squares: Vec<Vec<f64>> = compare(ae, &rows, Way::Compare, squares)?;
    let mut y = Vec::with_capacity(x.len());
    for chunk in ae.reconstruct_stream(rows.chunks())? {
        y.extend(chunk?.values);
    }
    let named = if test.ids().is_some() { "id" } else { "row" };
    let class = if test.labels().is_some() { ", class" } else { "" };
    let mut out = format!(
        "<section><h2>The worst rows</h2><div class=\"scroll\"><table class=\"worst\"><thead><tr><th>{named}{class}</th><th>MSE</th>\
         <th>columns with most of it: in the row, in its reconstruction</th></tr></thead><tbody>"
    );
    for (i, &row) in worst.iter().enumerate() {
        let class = test.labels().map(|labels| format!("<span>{}</span>", breakable(&test.class_name(labels[row])))).unwrap_or_default();
        let (x, y) = (&x[i * columns..], &y[i * columns..]);
        let whole = squares[i].iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by(|&a, &b| squares[i][b].total_cmp(&squares[i][a]));
        let part = |&at: &usize| {
            let (name, share) = (breakable(&names[at]), 100.0 * squares[i][at] / whole);
            let x = match test.is_filled(row, at) {
                true => format!("(gap, filled with {})", value(x[at])),
                false => value(x[at]),
            };
            format!("<span><b>{name}</b> {x}, back as {}: {share:.0}&nbsp;%</span>", value(y[at]))
        };
        let parts: String = order.iter().take(COLUMNS_OF_ROW).map(part).collect();
        let _ = write!(out, "<tr><th>{}{class}</th><td>{}</td><td>{parts}</td></tr>", breakable(&name(test, row)), short(errors[row]));
    }
    let which = match worst.len() == test.len() {
        true => format!("All test rows ({}), those with the largest errors first", counted(worst.len(), "row")),
        false => "The test rows with the largest errors".into(),
    };
    let _ = writeln!(out, "</tbody></table></div><p class=\"note\">{which}: their MSE, and the columns with most of it.</p></section>");
    Ok(out)
}
