//! The curves of how well scores tell anomalies from usual rows.

use super::plot::{Axis, Plot};
use crate::tasks::Detection;

/// Each of the two plots, which stand side by side.
const SIZE: (f64, f64) = (440.0, 400.0);
/// The most points of a curve: more can't be told apart.
const MOST_POINTS: usize = 1000;

/// The receiver operating characteristic and, beside it, precision against recall, as SVG. The dashed lines are those
/// of scores that know nothing.
pub fn detection(found: &Detection) -> String {
    let axis = |label: &str| Axis::linear(label, 0.0, 1.0);
    let chance = found.anomalies as f64 / found.rows as f64;
    let title = format!("ROC, AUROC {:.4}", found.auroc);
    let mut roc = Plot::new(&title, SIZE, axis("false positive rate"), axis("true positive rate"));
    roc.dashed(&[(0.0, 0.0), (1.0, 1.0)]);
    roc.line("a", "", &thinned(&found.roc), false);
    let title = format!("Precision and recall, AP {:.4}", found.average_precision);
    let mut precision = Plot::new(&title, SIZE, axis("recall"), axis("precision"));
    precision.dashed(&[(0.0, chance), (1.0, chance)]);
    precision.line("b", "", &thinned(&steps(&found.precision_recall)), false);
    Plot::beside([roc, precision])
}

/// Average precision takes the precision at a recall from the next point on, so the curve has steps.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut from = 0.0;
    points.iter().flat_map(|&(recall, precision)| [(std::mem::replace(&mut from, recall), precision), (recall, precision)]).collect()
}

/// The points without those on the line from the one before to the one after, and of very many some. Both ends stay.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let turns = |at: usize| {
        let [(ax, ay), (bx, by), (cx, cy)] = [points[at - 1], points[at], points[at + 1]];
        (bx - ax) * (cy - by) != (by - ay) * (cx - bx)
    };
    let last = points.len().saturating_sub(1);
    let kept: Vec<(f64, f64)> = (0..points.len()).filter(|&at| at == 0 || at == last || turns(at)).map(|at| points[at]).collect();
    let each = kept.len().div_ceil(MOST_POINTS).max(1);
    let end = kept.len().saturating_sub(1);
    kept.iter().enumerate().filter(|(at, _)| at % each == 0 || *at == end).map(|(_, point)| *point).collect()
}
