//! Which classes a classifier takes for which, as a picture.

use super::plot::{LETTER, TITLE_LETTER, escape, sheet, without_end, without_middle};
use crate::{Error, Result};
use std::fmt::Write;

/// The side of a cell, and room for the names and the title.
const CELL: f64 = 44.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 54.0;
const BOTTOM: f64 = 46.0;
const RIGHT: f64 = 24.0;
/// The most letters of a name.
const LETTERS: usize = 24;
/// The least width, so that there is room for a title.
const LEAST: f64 = 640.0;
/// More classes than this have no room for their numbers.
const MOST: usize = 64;

/// A table of the rows of each class (downwards) by the class that they are put into (across), as SVG: the darker, the
/// larger the share of the row's class.
///
/// # Errors
/// When there are no classes or more than 64, or `counts` is not as many rows of as many numbers as there are names.
pub fn confusion(title: &str, counts: &[Vec<usize>], names: &[String]) -> Result<String> {
    let n = names.len();
    if n == 0 || n > MOST || counts.len() != n || counts.iter().any(|row| row.len() != n) {
        let problem = format!("{} rows of counts for {n} classes", counts.len());
        return Err(Error::argument("confusion", problem, format!("Pass a square of at most {MOST} classes.")));
    }
    let names: Vec<String> = names.iter().map(|name| without_end(name, LETTERS)).collect();
    let room = LETTER * names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
    let (side, left, top) = (CELL * n as f64, LEFT + room, TOP + room);
    let (width, height) = ((left + side + RIGHT).max(LEAST), top + side + BOTTOM);
    let title = without_middle(title, ((width - 2.0 * RIGHT) / TITLE_LETTER) as usize);
    let mut out = sheet((width, height), &title, RIGHT);
    let middle = |at: usize| CELL * (at as f64 + 0.5);
    for (at, name) in names.iter().enumerate() {
        let (name, x, y) = (escape(name), left + middle(at) + 4.0, top + middle(at) + 4.0);
        let _ = write!(out, "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{name}</text>", left - 10.0);
        // Upright, a name has room whatever its length is.
        let _ = write!(out, "<text transform=\"translate({x:.1} {:.1}) rotate(-90)\">{name}</text>", top - 10.0);
    }
    for (row, counts) in counts.iter().enumerate() {
        let all = counts.iter().sum::<usize>().max(1) as f64;
        for (column, &count) in counts.iter().enumerate() {
            let share = count as f64 / all;
            let (x, y) = (left + CELL * column as f64, top + CELL * row as f64);
            let class = if row == column { "a" } else { "b" };
            // Small shares must be seen: a hundredth has a tenth of the colour.
            let ink = share.sqrt();
            let _ = write!(
                out,
                "<rect class=\"{class} bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{CELL}\" height=\"{CELL}\" fill-opacity=\"{ink:.3}\"/>\
                 <rect class=\"grid\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{CELL}\" height=\"{CELL}\"/>"
            );
            if count > 0 {
                let strong = if ink > 0.6 { " style=\"fill:#fff\"" } else { "" };
                let _ = write!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\"{strong}>{count}</text>",
                    x + CELL / 2.0,
                    y + CELL / 2.0 + 4.0
                );
            }
        }
    }
    let (across, down) = (left + side / 2.0, top + side / 2.0);
    let _ = write!(out, "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">class that was read</text>", height - 16.0);
    let _ = write!(out, "<text transform=\"translate(16 {down:.1}) rotate(-90)\" text-anchor=\"middle\">class of the row</text>");
    Ok(out + "</svg>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_in_its_cell_and_names_are_escaped() {
        let svg = confusion("<b>", &[vec![7, 0], vec![1, 5]], &["a<b".into(), "a very long name of a class".into()]).unwrap();
        assert!(svg.contains(">7</text>") && svg.contains(">1</text>") && svg.contains(">5</text>") && !svg.contains(">0</text>"), "{svg}");
        assert!(svg.contains("a&lt;b") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg.matches("class=\"b bar\"").count(), 2);
        // Each name once beside its line and once upright above its column, whole up to 24 letters.
        assert_eq!((svg.matches(">a very long name of a c…<").count(), svg.matches("rotate(-90)\">a&lt;b<").count()), (2, 1), "{svg}");
        for (counts, names) in [(vec![], 0), (vec![vec![1]], 2), (vec![vec![1, 2], vec![3]], 2)] {
            assert!(confusion("x", &counts, &vec![String::new(); names]).is_err());
        }
    }
}
