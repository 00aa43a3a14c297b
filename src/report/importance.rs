//! What columns are worth to a code, as a picture.

use super::charts::{grouped, short};
use super::picture;
use super::plot::{LETTER, TITLE_LETTER, escape, sheet, without_end, without_middle};
use crate::tasks::Importance;
use crate::{Error, Result};
use std::fmt::Write;

/// Columns that are shown: those that are worth the most.
const SHOWN: usize = 30;
/// The margin, the width of the longest bar of each of the two kinds with the room for its number, and the height of a
/// line.
const MARGIN: f64 = 24.0;
const BAR: f64 = 200.0;
const NUMBER: f64 = 80.0;
const LINE: f64 = 22.0;
const TOP: f64 = 66.0;
/// The most letters of a name.
const LETTERS: usize = 40;

/// Bars for the columns that are worth the most to the others: by how much the error of the other columns rises where a
/// column is shuffled, as a share of what all columns together raise, and beside it the norm of the first layer's
/// weights; as SVG.
///
/// # Errors
/// When there is not a name for each column, or there are no columns.
pub fn importance(title: &str, found: &Importance, names: &[String]) -> Result<String> {
    if names.len() != found.losses.len() || names.is_empty() {
        let problem = format!("{} names of {} columns", names.len(), found.losses.len());
        return Err(Error::argument("importance", problem, "Pass a name for each column."));
    }
    let order = found.order();
    let shown = SHOWN.min(order.len());
    let height = TOP + LINE * shown as f64 + 34.0;
    let names: Vec<String> = order[..shown].iter().map(|&column| without_end(&names[column], LETTERS)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let bars = MARGIN + LETTER * longest as f64 + 10.0;
    let width = bars + 2.0 * (BAR + NUMBER);
    let mut out = sheet((width, height), &without_middle(title, ((width - 2.0 * MARGIN) / TITLE_LETTER) as usize), MARGIN);
    let all = found.losses.iter().map(|loss| loss.max(0.0)).sum::<f64>();
    let share = |loss: f64| percent(loss.max(0.0) / all.max(f64::MIN_POSITIVE));
    let kinds: [(_, _, _, &dyn Fn(f64) -> String); 2] = [
        ("a", "share of the rise of the others' error", &found.losses, &share),
        ("b", "norm of the first layer's weights", &found.norms, &short),
    ];
    for (kind, (class, head, values, said)) in kinds.into_iter().enumerate() {
        let left = bars + kind as f64 * (BAR + NUMBER);
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let _ = write!(out, "<text x=\"{left}\" y=\"{}\">{head}</text>", TOP - 14.0);
        for (line, &column) in order[..shown].iter().enumerate() {
            let (y, long) = (TOP + LINE * line as f64, BAR * values[column].max(0.0) / most);
            let _ = write!(
                out,
                "<rect class=\"bar {class}\" x=\"{left}\" y=\"{:.1}\" width=\"{long:.1}\" height=\"14\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                y - 3.0,
                left + long + 6.0,
                y + 8.0,
                said(values[column])
            );
        }
    }
    for (line, name) in names.iter().enumerate() {
        let (x, y) = (bars - 10.0, TOP + LINE * line as f64 + 8.0);
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", escape(name));
    }
    if shown < order.len() {
        let note = format!("the {shown} of {} columns that are worth the most", grouped(order.len()));
        let _ = write!(out, "<text x=\"24\" y=\"{:.1}\">{note}</text>", height - 14.0);
    }
    Ok(out + "</svg>\n")
}

/// A share in per cent, to a tenth of one.
fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent > 0.0 && percent < 0.05 => "below 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    }
}

/// The same of pixels as a PNG of two images side by side: what each pixel is worth to the others, and the norm of its
/// weights; each from black for nothing to white for the most.
///
/// # Errors
/// When the dimensions are not those of the columns, or the picture would be too large.
pub fn importance_of_pixels(found: &Importance, dims: [usize; 3]) -> Result<Vec<u8>> {
    let shares = |values: &[f64]| -> Vec<f32> {
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        values.iter().map(|v| (v.max(0.0) / most) as f32).collect()
    };
    picture::grid(&[shares(&found.losses), shares(&found.norms)].concat(), dims, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_are_worth_the_most_come_first() {
        let found = Importance { norms: vec![1.0, 0.5, 2.0], losses: vec![0.1, 0.3, 0.0], own: vec![0.0; 3] };
        let names = ["a<b", "second", "third"].map(String::from);
        let svg = importance("t", &found, &names).unwrap();
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
        assert!(at(">second<") < at(">a&lt;b<") && at(">a&lt;b<") < at(">third<"));
        assert!(svg.contains("width=\"200.0\"") && svg.contains(">75.0 %<") && svg.contains(">2.000<"), "{svg}");
        // A long name is whole, and right of the margin.
        let long = importance("t", &found, &["merchant_category=pharmacy", "b", "c"].map(String::from)).unwrap();
        assert!(long.contains("x=\"195.6\"") && long.contains(">merchant_category=pharmacy<"), "{long}");
        assert_eq!([0.0, 1e-6, 0.0007, 1.0].map(percent), ["0.0 %", "below 0.1 %", "0.1 %", "100.0 %"]);
        assert!(importance("t", &found, &names[..2]).is_err());
        let many = Importance { norms: vec![1.0; 40], losses: (0..40).map(f64::from).collect(), own: vec![0.0; 40] };
        let svg = importance("t", &many, &(0..40).map(|i| format!("c{i}")).collect::<Vec<_>>()).unwrap();
        assert!(svg.contains("the 30 of 40 columns") && svg.contains(">c39<") && !svg.contains(">c9<"));
        assert!(importance_of_pixels(&found, [1, 1, 3]).unwrap().starts_with(b"\x89PNG"));
    }
}
