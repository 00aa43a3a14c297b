//! The plots of a report.

use super::metrics::Point;
use super::plot::{Axis, Plot};
use crate::{Error, Result};

/// Two of them stand beside each other on the page. On a telephone its letters are still those of a footnote.
const WIDE: (f64, f64) = (440.0, 300.0);
/// With more epochs than this the line has no dots.
const MOST_DOTS: usize = 60;
/// Bars of a histogram.
const BARS: usize = 48;

/// The colours of losses by their names, over again where they are more.
const NAMED: [&str; 4] = ["d", "e", "f", "g"];

/// Training, validation and test loss by epoch, and a line for each other loss of the training, as SVG. The scale is
/// logarithmic where the error falls to a third or less.
pub fn loss(points: &[Point]) -> String {
    let train: Vec<(f64, f64)> = points.iter().map(|p| (p.epoch as f64, p.train_loss)).collect();
    let test: Vec<(f64, f64)> = points.iter().filter_map(|p| p.test_loss.map(|l| (p.epoch as f64, l))).collect();
    let validation: Vec<(f64, f64)> = points.iter().filter_map(|p| p.validation_loss.map(|l| (p.epoch as f64, l))).collect();
    let names = || points.first().into_iter().flat_map(|p| p.losses.iter().map(|(name, _)| name.as_str()));
    let named = |name: &str| -> Vec<(f64, f64)> {
        let loss = |p: &Point| p.losses.iter().find(|(n, _)| n == name).map(|(_, loss)| (p.epoch as f64, *loss));
        points.iter().filter_map(loss).collect()
    };
    let others = || points.iter().flat_map(|p| &p.losses).map(|(_, loss)| *loss);
    let all = || train.iter().chain(&test).chain(&validation).map(|p| p.1).chain(others());
    let (lo, hi) = all().fold((f64::INFINITY, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let last = points.iter().map(|p| p.epoch).max().unwrap_or(1);
    let step = last.div_ceil(10).max(1);
    let ticks: Vec<usize> = if step == 1 { (1..=last).collect() } else { (0..=last).step_by(nice(step)).collect() };
    let begin = if step == 1 { 0.7 } else { 0.0 };
    let end = if step == 1 { last as f64 + 0.3 } else { last as f64 };
    let label = if names().next().is_none() { "loss, mean over all elements" } else { "losses" };
    let y = if lo > 0.0 && hi > 3.0 * lo { Axis::log(label, lo, hi) } else { Axis::linear(label, lo.min(0.0), hi * 1.05) };
    let mut plot = Plot::new("Loss by epoch", WIDE, Axis::linear("epoch", begin, end).ticks(&ticks), y);
    let dots = points.len() <= MOST_DOTS;
    plot.line("a", "training", &train, dots);
    plot.line("c", if validation.is_empty() { "" } else { "validation" }, &validation, dots);
    plot.line("b", if test.is_empty() { "" } else { "test" }, &test, dots);
    names().zip(NAMED.iter().cycle()).for_each(|(name, class)| plot.line(class, name, &named(name), dots));
    plot.svg()
}

/// The next of 1, 2, 5, 10, 20, ...
fn nice(step: usize) -> usize {
    let mut power = 1;
    loop {
        if let Some(nice) = [power, 2 * power, 5 * power].into_iter().find(|&n| n >= step) {
            return nice;
        }
        power *= 10;
    }
}

/// A histogram of the errors of rows, as SVG, with the median and the error that one row in a hundred exceeds.
///
/// # Errors
/// When there are no errors.
pub fn histogram(errors: &[f64]) -> Result<String> {
    let mut sorted = errors.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&most) = sorted.last() else {
        return Err(Error::argument("histogram", "there are no errors", "Pass at least one."));
    };
    let quantile = |q: f64| sorted[((sorted.len() - 1) as f64 * q).round() as usize];
    let (median, rare) = (quantile(0.5), quantile(0.99));
    // A few outliers would squeeze all other rows into one bar.
    let hi = most.min(2.0 * rare).max(f64::MIN_POSITIVE);
    let beyond = sorted.iter().filter(|&&e| e > hi).count();
    let mut counts = [0usize; BARS];
    sorted.iter().for_each(|e| counts[((e / hi * BARS as f64) as usize).min(BARS - 1)] += 1);
    let highest = counts.iter().copied().max().unwrap_or(1);
    let label = match beyond {
        0 => "mean squared error of a row".to_string(),
        n => format!("mean squared error of a row; {n} more in the last bar"),
    };
    let title = format!("Errors of {}", counted(errors.len(), "row"));
    let mut plot = Plot::new(&title, WIDE, Axis::linear(&label, 0.0, hi), Axis::linear("rows", 0.0, highest as f64 * 1.22));
    for (i, &count) in counts.iter().enumerate() {
        let edge = |i: usize| hi * i as f64 / BARS as f64;
        plot.bar("a", edge(i), edge(i + 1), count as f64);
    }
    plot.rule(median, &format!("median {}", short(median)), 0);
    plot.rule(rare, &format!("99 % below {}", short(rare)), 1);
    Ok(plot.svg())
}

/// Test error against the size of the code, as SVG: (numbers in the code, sum over a row's elements of the squared
/// error) of autoencoders, and of principal components, if there are any.
///
/// # Errors
/// When there is nothing to draw.
pub fn rate(data: &str, autoencoders: &[(usize, f64)], components: &[(usize, f64)]) -> Result<String> {
    let all = || autoencoders.iter().chain(components).copied();
    let (lo, hi) = all().filter(|p| p.1 > 0.0).fold((f64::INFINITY, 0.0f64), |(lo, hi), p| (lo.min(p.1), hi.max(p.1)));
    if hi == 0.0 {
        return Err(Error::argument("rate", "there are no errors above 0", "Pass at least one code size with its error."));
    }
    let sizes: Vec<usize> = autoencoders.iter().map(|p| p.0).collect();
    let (least, most) = all().fold((usize::MAX, 1), |(lo, hi), p| (lo.min(p.0), hi.max(p.0)));
    let x = Axis::log("numbers in the code", least as f64, most as f64).ticks(&sizes);
    let title = format!("Test error by code size: {data}");
    let mut plot = Plot::new(&title, (760.0, 440.0), x, Axis::log("squared error, sum per row", lo, hi));
    let points = |of: &[(usize, f64)]| of.iter().map(|&(k, e)| (k as f64, e)).collect::<Vec<_>>();
    if !components.is_empty() {
        plot.line("b", "PCA", &points(components), components.len() < 20);
    }
    plot.line("a", "autoencoder", &points(autoencoders), true);
    Ok(plot.svg())
}

/// Four significant digits. Every number of a report has them, so that it reads the same wherever it stands.
pub(super) fn short(v: f64) -> String {
    significant(v, 4)
}

/// So many significant digits, and all before the point: 13648.6 as 13,649.
pub(super) fn significant(v: f64, digits: i32) -> String {
    if !v.is_finite() {
        return "∞".into();
    }
    let power = if v == 0.0 { digits - 1 } else { libm::floor(libm::log10(v.abs())) as i32 };
    if !(-5..15).contains(&power) {
        return format!("{v:.*e}", digits.max(1) as usize - 1);
    }
    in_threes(&format!("{v:.*}", (digits - 1 - power).max(0) as usize))
}

/// A value of the rows: of four digits before the point it is a year as well as anything else.
pub(super) fn value(v: f64) -> String {
    let text = short(v);
    if v.abs() < 9_999.5 { text.replace(',', "") } else { text }
}

/// 60000 as 60,000.
pub(super) fn grouped(n: usize) -> String {
    in_threes(&n.to_string())
}

/// `1 row`, `60,000 rows`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A decimal number with a comma after each three digits before its point.
fn in_threes(number: &str) -> String {
    let end = number.find('.').unwrap_or(number.len());
    let begin = usize::from(number.starts_with('-'));
    let mut text = String::with_capacity(number.len() + number.len() / 3);
    for (at, c) in number.char_indices() {
        if at > begin && at < end && (end - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// How an error compares with another, by the digits that both are shown with: `25 % less than`, or
/// `1,003 times what`, which has to be followed by something that leaves an error.
pub(super) fn compared(error: f64, other: f64) -> String {
    let shown = |v: f64| format!("{v:.3e}").parse().unwrap_or(v);
    let ratio: f64 = shown(error) / shown(other);
    let percent = (100.0 * (ratio - 1.0)).round();
    match ratio {
        _ if percent == 0.0 => "as much as".into(),
        ..1.0 => format!("{:.0} % less than", -percent),
        ..2.0 => format!("{percent:.0} % more than"),
        ratio => format!("{} times what", times(ratio)),
    }
}

/// A ratio that is too large for per cents: two decimals at most.
pub(super) fn times(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "∞".into();
    }
    significant(ratio, if ratio < 100.0 { 3 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 7, 100, 1000, 60_000, 1_234_567].map(grouped), ["0", "7", "100", "1,000", "60,000", "1,234,567"]);
        assert_eq!([1, 3, 6, 10, 11, 99].map(nice), [1, 5, 10, 10, 20, 100]);
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!([0.012345, 19.876, 0.5, 12345.6, 0.0].map(short), ["0.01235", "19.88", "0.5000", "12,346", "0"]);
        assert_eq!([f64::INFINITY, 1.5e-12, 1e300].map(short), ["∞", "1.500e-12", "1.000e300"]);
        assert_eq!([-1_234_567.8, -999.96, 1_000.0, -12.0].map(short), ["-1,234,568", "-1,000.0", "1,000", "-12.00"]);
        assert_eq!([2024.0, 9_999.7, 1.7e9, -1999.4].map(value), ["2024", "10,000", "1,700,000,000", "-1999"]);
        assert_eq!([0.000123456, 0.0].map(|v| significant(v, 3)), ["0.000123", "0"]);
    }

    #[test]
    fn an_error_compares_with_another_by_the_digits_that_are_shown() {
        for (error, other, said) in [
            (0.75, 1.0, "25 % less than"),
            (1.5, 1.0, "50 % more than"),
            (1.0, 1.0, "as much as"),
            (0.100_001, 0.100_002, "as much as"),
            (12.34, 0.5, "24.7 times what"),
            (1_003.4, 1.0, "1,003 times what"),
            (1.0, 0.0, "∞ times what"),
        ] {
            assert_eq!(compared(error, other), said);
        }
        assert_eq!([counted(0, "row"), counted(1, "row"), counted(1_000, "epoch")], ["0 rows", "1 row", "1,000 epochs"]);
    }

    #[test]
    fn a_loss_without_test_rows_and_one_of_one_epoch_are_drawn() {
        let point = |epoch, test_loss| Point { epoch, train_loss: 0.5, test_loss, validation_loss: test_loss, losses: Vec::new() };
        let one = loss(&[point(1, None)]);
        assert!(one.contains("training") && !one.contains(">test<") && !one.contains("NaN"));
        let many: Vec<Point> = (1..=200)
            .map(|e| Point { epoch: e, train_loss: 1.0 / e as f64, test_loss: Some(1.1 / e as f64), ..Point::default() })
            .collect();
        let many = loss(&many);
        assert!(many.contains(">test<") && many.matches("<polyline").count() == 2 && !many.contains("<circle"));
        assert!(!loss(&[]).contains("NaN"));
        // A line and a name in the legend for each loss that has a name.
        let losses = |e: usize| vec![("kl".to_string(), 0.1 * e as f64), ("penalty".to_string(), -0.5)];
        let named: Vec<Point> = (1..=3).map(|e| Point { losses: losses(e), ..point(e, None) }).collect();
        let named = loss(&named);
        assert!(named.contains(">kl<") && named.contains(">penalty<") && named.matches("<polyline").count() == 3, "{named}");
    }

    #[test]
    fn a_histogram_counts_every_row() {
        let mut errors: Vec<f64> = (0..1000).map(|i| 0.01 + f64::from(i) * 1e-5).collect();
        errors.push(5.0);
        let svg = histogram(&errors).unwrap();
        assert!(svg.contains("Errors of 1,001 rows") && svg.contains("median 0.01500") && svg.contains("1 more in the last bar"), "{svg}");
        assert!(histogram(&[]).is_err());
        assert!(!histogram(&[0.0]).unwrap().contains("NaN"));
    }
}
