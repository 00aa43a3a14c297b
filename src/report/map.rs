//! The map of codes: a picture of its own, and on the page one that can be zoomed and shows each row.

use super::charts::{counted, grouped};
use super::gallery;
use super::page::data_uri;
use super::picture::{self, Tones};
use super::plot::{Axis, CLASSES, Plot};
use super::weights;
use crate::data::Dataset;
use crate::tasks::{Fidelity, Plane, Projection};
use crate::{Autoencoder, Error, Result};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma, Rgb};
use std::collections::BTreeSet;

const SIZE: (f64, f64) = (760.0, 640.0);
/// More rows than this are drawn as squares of their density.
const MOST_DOTS: usize = 5000;
/// Dots that are drawn large, and the two radii.
const FEW_DOTS: usize = 1500;
const RADII: [f64; 2] = [2.3, 1.5];
/// Rows on the page, or as many as these numbers hold, and the largest side of a row's picture there.
const ON_PAGE: usize = 1000;
const NUMBERS: usize = 1 << 24;
/// The fewest rows that t-SNE is taken for there.
const LEAST: usize = 500;
const THUMBNAIL: usize = 28;
/// Pictures in a line of the sheet of them.
const ACROSS: usize = 40;
/// The names of more classes than this would cover the dots: they are in the legend alone.
const NAMED: usize = 10;
const SCRIPT: &str = include_str!("map.js");

/// The points of rows, as SVG: the first 60 classes have a mark each, and the names of at most ten stand where their
/// points are, as far as there is room. Of more than 5,000 rows, squares show how many there are and which class most
/// of them have; rows of rare classes are dots above them. The mark of a class depends on its place among all classes,
/// not on those drawn.
///
/// # Errors
/// When there are no points, or their number is not that of the rows.
pub fn map(title: &str, plane: &Plane, rows: &Dataset) -> Result<String> {
    Ok(drawn(title, plane, rows)?.svg())
}

fn drawn(title: &str, plane: &Plane, rows: &Dataset) -> Result<Plot> {
    if plane.points.rows == 0 || rows.len() != plane.points.rows {
        let problem = format!("there are {} points of {} rows", plane.points.rows, rows.len());
        return Err(Error::argument("map", problem, "Pass at least one point, and the rows they belong to."));
    }
    let mut points: Vec<(f64, f64)> = plane.points.values.chunks(2).map(|p| (f64::from(p[0]), f64::from(p[1]))).collect();
    let [x_label, mut y_label] = plane.axes.clone();
    if y_label.is_empty() {
        // One number is no plane: the rows are drawn one below the other.
        points.iter_mut().enumerate().for_each(|(row, point)| point.1 = row as f64);
        y_label = "row".into();
    }
    let axis = |label: &str, of: fn(&(f64, f64)) -> f64| {
        let (lo, hi) = points.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let margin = ((hi - lo) * 0.03).max(1e-9);
        Axis::linear(label, lo - margin, hi + margin)
    };
    let mut plot = Plot::new(title, SIZE, axis(&x_label, |p| p.0), axis(&y_label, |p| p.1));
    let classes: Vec<u8> = rows.labels().into_iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    // Rows of another part may have other classes of the same data.
    let is_place = rows.classes().is_some() || classes.last().is_none_or(|&last| usize::from(last) < CLASSES);
    let place = |label: u8| if is_place { usize::from(label) } else { classes.partition_point(|&class| class < label) };
    let class = |row: usize| rows.labels().map_or(0, |labels| place(labels[row]));
    match points.len() {
        ..=MOST_DOTS => {
            let radius = RADII[usize::from(points.len() > FEW_DOTS)];
            points.iter().enumerate().for_each(|(row, &point)| plot.dot(class(row), point, radius));
        }
        _ => plot.density(&points, class),
    }
    let (marked, others): (Vec<u8>, Vec<u8>) = classes.iter().partition(|&&class| place(class) < CLASSES);
    for class in marked {
        let of_class = || points.iter().zip(rows.labels().into_iter().flatten()).filter(|(_, label)| **label == class).map(|(p, _)| *p);
        let median = |of: fn((f64, f64)) -> f64| {
            let mut values: Vec<f64> = of_class().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let name = rows.class_name(class);
        if classes.len() <= NAMED {
            plot.name((median(|p| p.0), median(|p| p.1)), &name);
        }
        plot.key(place(class), &name);
    }
    if !others.is_empty() {
        plot.key(CLASSES, &counted(others.len(), "other"));
    }
    Ok(plot)
}

/// The section of the page: the codes of at most 1,000 of the test rows.
pub(super) fn html(ae: &Autoencoder, test: &Dataset) -> Result<String> {
    let most = ON_PAGE.min((NUMBERS / test.columns()).max(1));
    let shown = match test.len() {
        all if all <= most => test.clone(),
        // Rows may be in the order of their classes.
        all => test.selected(&(0..most).map(|at| at * all / most).collect::<Vec<_>>()),
    };
    let codes = ae.encode(&shown)?;
    // Few rows are seen as well by components, and at once.
    let by = match Projection::usual(codes.columns) {
        Projection::Tsne if codes.rows < LEAST => Projection::Pca,
        by => by,
    };
    let plane = Plane::of_codes(ae, &codes, by)?;
    let fidelity = match shown.len() {
        ..4 => String::new(),
        _ => format!(" {}.", sentence(&Fidelity::of_rows(ae, &shown, &plane.points)?)),
    };
    let plot = drawn("Codes of test rows", &plane, &shown)?;
    let frame = plot.frame().map(|edge| edge.to_string()).join(" ");
    let how = match by {
        Projection::Tsne => "placed by t-SNE of their codes: near ones are alike, distances between groups mean little",
        Projection::Pca => "by the first two principal components of their codes",
        Projection::Code => "by the numbers of their codes",
    };
    let which = if shown.len() < test.len() {
        format!("{} of {}", grouped(shown.len()), counted(test.len(), "test row"))
    } else {
        counted(shown.len(), "test row")
    };
    let names: Vec<String> = (0..shown.len()).map(|row| called(&shown, row, shown.len() < test.len())).collect();
    let names = serde_json::to_string(&names).unwrap_or_default().replace('<', "\\u003c");
    let (sheet, across) = match shown.image_dims() {
        Some(dims) => sheet(&shown, dims)?,
        None => (String::new(), 0),
    };
    Ok(format!(
        "<section class=\"keep\"><h2>The codes</h2><figure class=\"map\" data-frame=\"{frame}\"{sheet} data-across=\"{across}\">{}\
         <div class=\"tip\" hidden><i></i><span></span></div><p class=\"zoom\" hidden><button>+</button><button>−</button><button>whole</button></p>\
         <figcaption>{which}, {how}.{fidelity}</figcaption><script type=\"application/json\">{names}</script></figure>\
         <script>{SCRIPT}</script></section>\n",
        plot.svg().trim_end()
    ))
}

fn sentence(found: &Fidelity) -> String {
    let Fidelity { neighbours, trustworthiness, continuity, .. } = found;
    let label = match (found.accuracy, found.frequent) {
        (Some(accuracy), Some(frequent)) => {
            let [accuracy, frequent] = [accuracy, frequent].map(|share| 100.0 * share);
            format!("; {accuracy:.1} % have the label of most of their five nearest there, and {frequent:.1} % the most frequent label")
        }
        _ => String::new(),
    };
    format!("Of {neighbours} neighbours of each, trustworthiness is {trustworthiness:.3} and continuity {continuity:.3}{label}")
}

/// What is said of a row under the pointer.
fn called(rows: &Dataset, row: usize, some: bool) -> String {
    let class = rows.labels().map(|labels| rows.class_name(labels[row]));
    // The number of a row says nothing where some were left out.
    let id = (rows.ids().is_some() || !some).then(|| gallery::name(rows, row));
    [class, id].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// All rows as small pictures in one, as attributes of an element; and how many stand side by side.
fn sheet(rows: &Dataset, [channels, h, w]: [usize; 3]) -> Result<(String, usize)> {
    let values = rows.rows_f32(0..rows.len());
    let tones = Tones::of(&values);
    let shrink = (h.max(w) as f64 / THUMBNAIL as f64).max(1.0);
    let [th, tw] = [h, w].map(|side| ((side as f64 / shrink) as usize).max(1));
    let across = ACROSS.min(rows.len());
    let (width, height) = (across * tw, rows.len().div_ceil(across) * th);
    let mut pixels = vec![0u8; width * height * channels];
    for (row, values) in values.chunks(channels * h * w).enumerate() {
        let values = tones.map(values);
        let bytes: Vec<u8> =
            (0..h * w).flat_map(|at| (0..channels).map(move |c| (c, at))).map(|(c, at)| picture::byte(values[c * h * w + at])).collect();
        let small = small(bytes, [channels, h, w], [th, tw])?;
        let (top, left) = (row / across * th, row % across * tw);
        for (y, line) in small.chunks(tw * channels).enumerate() {
            let at = ((top + y) * width + left) * channels;
            pixels[at..at + line.len()].copy_from_slice(line);
        }
    }
    let uri = data_uri(&weights::png(width, height, &pixels, picture::colour_type(channels))?);
    Ok((format!(" data-sheet=\"{uri}\" data-tile=\"{tw} {th}\""), across))
}

/// A picture in the size of the others on the sheet.
fn small(bytes: Vec<u8>, [channels, h, w]: [usize; 3], [th, tw]: [usize; 2]) -> Result<Vec<u8>> {
    if (h, w) == (th, tw) {
        return Ok(bytes);
    }
    let refuse = || Error::argument("map", format!("{h}x{w} pixels can't be drawn small"), "Use smaller images.");
    let [w, h, tw, th] = [w, h, tw, th].map(|side| side as u32);
    match channels {
        1 => {
            let image = ImageBuffer::<Luma<u8>, _>::from_raw(w, h, bytes).ok_or_else(refuse)?;
            Ok(resize(&image, tw, th, FilterType::Triangle).into_raw())
        }
        _ => {
            let image = ImageBuffer::<Rgb<u8>, _>::from_raw(w, h, bytes).ok_or_else(refuse)?;
            Ok(resize(&image, tw, th, FilterType::Triangle).into_raw())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;
    use crate::{Device, data};

    fn plane(points: Vec<f32>) -> Plane {
        Plane { by: Projection::Code, points: Rows::new(2, points), axes: ["x".into(), "y".into()] }
    }

    #[test]
    fn points_become_dots_with_a_mark_and_a_name_for_each_class() {
        let points = plane((0..40).map(|i| (i * i % 17) as f32).collect());
        let rows = Dataset::from_rows("rows", vec![0.5; 20], &[1]).unwrap();
        let labelled = rows.clone().with_labels((0..20).map(|i| i % 3).collect()).unwrap();
        let svg = map("codes", &points, &labelled).unwrap();
        assert_eq!(svg.matches("class=\"dot").count(), 20);
        assert_eq!(svg.matches("class=\"name\"").count(), 3);
        assert!(map("codes", &points, &rows).unwrap().contains("dot c0"));
        assert!(map("codes", &points, &rows.head(19)).is_err());
        let line = Plane { axes: ["the code".into(), String::new()], ..plane((0..40).map(|i| (i % 2 * i) as f32).collect()) };
        assert!(map("codes", &line, &rows).unwrap().contains(">row</text>"));
        // 63 classes, with labels that are far apart: sixty have a mark each, and the others one together.
        let many = Dataset::from_rows("many", vec![0.5; 70], &[1]).unwrap().with_labels((0..70).map(|i| i % 63 * 4).collect()).unwrap();
        let svg = map("codes", &plane((0..140).map(|i| (i * i % 31) as f32).collect()), &many).unwrap();
        assert!(svg.contains(">236<") && !svg.contains(">240<") && svg.contains(">3 others<"), "{svg}");
        assert_eq!(svg.matches("class=\"dot rest\"").count(), 3);
    }

    #[test]
    fn a_class_has_its_colour_whichever_others_are_drawn() {
        let rows = |labels: Vec<u8>| Dataset::from_rows("rows", vec![0.5; 12], &[1]).unwrap().with_labels(labels).unwrap();
        let svg = |labels: Vec<u8>| map("codes", &plane((0..24).map(|i| (i * i % 17) as f32).collect()), &rows(labels)).unwrap();
        let (all, some) = (svg((0..12).collect()), svg((0..12).map(|i| if i % 2 == 0 { 5 } else { 11 }).collect()));
        let dots = |svg: &str, class: &str| svg.matches(&format!("class=\"dot {class}\"")).count();
        assert_eq!((dots(&all, "c5"), dots(&all, "c11"), dots(&some, "c5"), dots(&some, "c11")), (1, 1, 6, 6));
        let names = |svg: &str| svg.matches("class=\"name\"").count();
        assert_eq!((names(&all), names(&some)), (0, 2), "the names of twelve classes would cover the dots");
    }

    #[test]
    fn a_rare_class_is_seen_among_squares() {
        let rows = MOST_DOTS + 1;
        let points = plane((0..rows).flat_map(|i| [(i % 40) as f32, (i % 7) as f32]).collect());
        let labels = (0..rows).map(|i| u8::from(i % 500 == 0)).collect();
        let data = Dataset::from_rows("rows", vec![0.5; rows], &[1]).unwrap().with_labels(labels).unwrap();
        let svg = map("codes", &points, &data).unwrap();
        assert_eq!(svg.matches("class=\"dot c1\"").count(), rows.div_ceil(500));
    }

    #[test]
    fn very_many_rows_become_squares_of_the_class_that_most_have() {
        let rows = MOST_DOTS + 1;
        let points = plane((0..rows).flat_map(|i| [(i % 3) as f32, 0.0]).collect());
        let labels = (0..rows).map(|i| if i % 3 == 2 && i % 5 == 0 { 0 } else { (i % 3) as u8 }).collect();
        let data = Dataset::from_rows("rows", vec![0.5; rows], &[1]).unwrap().with_labels(labels).unwrap();
        let svg = map("codes", &points, &data).unwrap();
        assert_eq!(svg.matches("class=\"cell").count(), 3, "{svg}");
        assert!(["c0", "c1", "c2"].iter().all(|class| svg.contains(&format!("class=\"cell {class}\""))) && !svg.contains("class=\"dot"));
        let cells = svg.split("class=\"cell").skip(1).map(|path| path.split("/>").next().unwrap().matches('M').count());
        assert_eq!(cells.sum::<usize>(), 3);
        assert!(svg.len() < 12_000, "{} bytes", svg.len());
    }

    #[test]
    fn the_page_has_a_picture_of_each_row_under_its_dot() {
        let digits = data::digits(0, 0..ON_PAGE as u32 + 200);
        let ae = Autoencoder::builder(784).layers([8, 2]).build(&Device::cpu().unwrap()).unwrap();
        let html = html(&ae, &digits).unwrap();
        assert!(html.contains("1,000 of 1,200 test rows, by the numbers of their codes. Of 12 neighbours"), "{html}");
        assert_eq!(html.matches("class=\"dot").count(), ON_PAGE);
        assert!(html.contains("data-tile=\"28 28\" data-across=\"40\"") && html.contains("data-sheet=\"data:image/png;base64,"));
        let names = html.split("application/json\">").nth(1).unwrap().split("</script>").next().unwrap();
        let names: Vec<String> = serde_json::from_str(names).unwrap();
        assert_eq!((names.len(), names[0].as_str()), (ON_PAGE, digits.class_name(digits.labels().unwrap()[0]).as_str()));
    }

    #[test]
    fn large_and_coloured_pictures_are_drawn_small_and_names_are_escaped() {
        let rows =
            Dataset::from_rows("</script>", (0..3 * 56 * 112 * 2).map(|i| (i % 251) as f32 / 251.0).collect(), &[3, 56, 112]).unwrap();
        let (attributes, across) = sheet(&rows, [3, 56, 112]).unwrap();
        assert!(attributes.contains("data-tile=\"28 14\"") && across == 2, "{attributes}");
        let rows = rows.with_ids(vec!["</script>".into(), "b".into()]);
        let ae = Autoencoder::builder(3 * 56 * 112).layers([4]).build(&Device::cpu().unwrap()).unwrap();
        let html = html(&ae, &rows).unwrap();
        assert!(html.contains("\\u003c/script>") && html.matches("</script>").count() == 2, "{html}");
    }
}
