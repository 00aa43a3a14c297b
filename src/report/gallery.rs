//! Images beside their reconstructions, as a part of the page.

use super::charts::significant;
use super::page::{breakable, data_uri};
use super::picture::{self, Tones};
use super::plot::escape;
use super::weights;
use crate::data::Dataset;
use crate::{Autoencoder, Result};
use image::ExtendedColorType;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Images that are shown, and how many of them stand side by side where the page is narrow.
const SHOWN: usize = 10;
const NARROW: usize = 5;
/// The digits of an error: four would not fit below an image there.
const DIGITS: i32 = 3;

/// The first row of each class where there are labels, else the first rows.
pub(super) fn chosen(data: &Dataset) -> Vec<usize> {
    let mut rows: Vec<usize> = match data.labels() {
        Some(labels) => (0..=u8::MAX).filter_map(|class| labels.iter().position(|&l| l == class)).collect(),
        None => (0..data.len()).collect(),
    };
    rows.truncate(SHOWN);
    rows
}

/// The rows with the largest errors, largest first.
pub(super) fn worst(errors: &[f64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..errors.len()).collect();
    rows.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    rows.truncate(SHOWN);
    rows
}

/// What a row is called: its id, or its number, counted from 0.
pub(super) fn name(data: &Dataset, row: usize) -> String {
    data.ids().map_or_else(|| format!("#{row}"), |ids| ids[row].clone())
}

/// Rows that are images, and their reconstructions, each with 0 for dark and 1 for white.
pub(super) struct Samples<'a> {
    data: &'a Dataset,
    dims: [usize; 3],
    rows: Vec<usize>,
    pub(super) originals: Vec<f32>,
    pub(super) reconstructions: Vec<f32>,
}

impl<'a> Samples<'a> {
    pub(super) fn of(ae: &Autoencoder, data: &'a Dataset, dims: [usize; 3], rows: Vec<usize>) -> Result<Samples<'a>> {
        let originals: Vec<f32> = rows.iter().flat_map(|&r| data.rows_f32(r..r + 1)).collect();
        let back = ae.reconstruct(&Dataset::from_rows(data.name(), originals.clone(), &[data.columns()])?)?;
        let tones = Tones::of(&originals);
        Ok(Samples { data, dims, rows, originals: tones.map(&originals), reconstructions: tones.map(&back.values) })
    }

    /// A column for each image: its class, itself, its reconstruction, their difference and its error.
    fn columns(&self, errors: &[f64]) -> Result<String> {
        let head = if self.data.labels().is_some() { "class" } else { "row" };
        let file = if self.is_named() { "<span>id</span>" } else { "" };
        let labels = |class: &str| {
            format!(
                "<div class=\"{class}\"><span>{head}</span><span>original</span><span>reconstruction</span><span>difference</span><span>MSE</span>{file}</div>"
            )
        };
        let mut out = labels("labels");
        let columns = self.data.columns();
        let pairs = self.originals.chunks_exact(columns).zip(self.reconstructions.chunks_exact(columns));
        for (i, (&row, (x, y))) in self.rows.iter().zip(pairs).enumerate() {
            if i == NARROW {
                out += &labels("labels again");
            }
            let title = escape(&name(self.data, row));
            let (above, title) = match self.data.labels().map(|labels| self.data.class_name(labels[row])) {
                Some(class) => (class.clone(), format!("{title}, class {}", escape(&class))),
                None => (name(self.data, row), title),
            };
            // Of a file, the end of its path says the most.
            let file = match self.data.ids().filter(|_| self.is_named()) {
                Some(ids) => format!("<small>{}</small>", escape(ids[row].rsplit('/').next().unwrap_or_default())),
                None => String::new(),
            };
            let _ = write!(
                out,
                "<div title=\"test row {title}\"><b>{}</b><img alt=\"original\" src=\"{}\"><img alt=\"reconstruction\" src=\"{}\">\
                 <img alt=\"difference\" src=\"{}\"><span>{}</span>{file}</div>",
                breakable(&above),
                self.image(x)?,
                self.image(y)?,
                self.difference(x, y)?,
                significant(errors[row], DIGITS)
            );
        }
        Ok(out)
    }

    /// Whether the images have ids beside their classes.
    fn is_named(&self) -> bool {
        self.data.labels().is_some() && self.data.ids().is_some()
    }

    fn image(&self, values: &[f32]) -> Result<String> {
        let [channels, h, w] = self.dims;
        let pixel = |at: usize| (0..channels).map(move |c| picture::byte(values[c * h * w + at]));
        let pixels: Vec<u8> = (0..h * w).flat_map(pixel).collect();
        Ok(data_uri(&weights::png(w, h, &pixels, picture::colour_type(channels))?))
    }

    /// Red where light was added, blue where it was lost; of colours the mean.
    fn difference(&self, x: &[f32], y: &[f32]) -> Result<String> {
        let [channels, h, w] = self.dims;
        let added = |at: usize| (0..channels).map(|c| y[c * h * w + at] - x[c * h * w + at]).sum::<f32>() / channels as f32;
        let pixels: Vec<u8> = (0..h * w).flat_map(|at| weights::diverging(added(at) * 1.25)).collect();
        Ok(data_uri(&weights::png(w, h, &pixels, ExtendedColorType::Rgb8)?))
    }
}

/// The part of the page: some of the rows, and the worst.
pub(super) fn html(shown: &Samples, worst: &Samples, errors: &[f64]) -> Result<String> {
    let part = |title: &str, note: &str, samples: &Samples| -> Result<String> {
        let columns = samples.columns(errors)?;
        Ok(format!(
            "<section class=\"keep\"><h2>{title}</h2><div class=\"gallery{}\">{columns}</div><p class=\"note\">{note}</p></section>\n",
            if samples.is_named() { " named" } else { "" }
        ))
    };
    let classes = shown.data.labels().map(|labels| labels.iter().collect::<BTreeSet<_>>().len());
    let (title, first) = match classes {
        None => ("The first test rows".to_string(), "The first of the test rows."),
        Some(..=SHOWN) => ("One of each class".into(), "The first of each class among the test rows, none chosen by its looks."),
        Some(all) => (
            format!("One of each of {SHOWN} of the {all} classes"),
            "The first of each class among the test rows, none chosen by its looks.",
        ),
    };
    let note = format!("{first} Difference: <b class=\"pos\">red</b> where light was added, <b class=\"neg\">blue</b> where it was lost.");
    let worst_note = match worst.rows.len() == worst.data.len() {
        true => format!("All test rows ({}), those with the largest errors first.", worst.rows.len()),
        false => format!("The {} test rows with the largest errors.", worst.rows.len()),
    };
    Ok(part(&title, &note, shown)? + &part("The worst", &worst_note, worst)?)
}
