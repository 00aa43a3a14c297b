//! Everything in the folder of a run that people look at.

use super::about::About;
use super::page::{self, Page, Sample};
use super::picture::Tones;
use super::{charts, metrics, picture, weights};
use crate::data::{Dataset, Split, fingerprint, has_fingerprint};
use crate::tasks::Pca;
use crate::train::Evaluation;
use crate::{Autoencoder, Error, Result, files};
use std::path::{Path, PathBuf};

/// Rows that are shown with their reconstructions.
const SAMPLES: usize = 10;
/// Wider rows are not compared with principal components: fitting those would often take longer than the training.
const MOST_COLUMNS: usize = 1024;

/// The files that [`run`] wrote.
#[derive(Clone, Debug)]
pub struct Written {
    /// `report.html`.
    pub page: PathBuf,
    /// `reconstruction.png`, where the rows are images that can be drawn.
    pub picture: Option<PathBuf>,
}

/// Measures a trained network and writes into its folder, which holds a `metrics.csv`: `loss.svg`, `errors.svg`,
/// `run.json`, the self-contained page `report.html`, and, where the rows are images, `reconstruction.png` and
/// `weights.png`.
///
/// # Errors
/// When the data do not fit the network or are not those of the run, `metrics.csv` is not such a table, or a file can't
/// be written.
pub fn run(folder: &Path, ae: &Autoencoder, split: &Split, about: &About) -> Result<Written> {
    let points = metrics::read_metrics(&folder.join("metrics.csv"))?;
    let sha256 = fingerprint(split);
    if let Some(known) = about.sha256.as_deref().filter(|&known| !has_fingerprint(split, known)) {
        let problem = format!("these are not the data of the run (SHA-256 {sha256:.12}..., not {known:.12}...)");
        return Err(Error::data(&about.data, problem, "Name the data that it was trained on."));
    }
    let about = About { sha256: Some(sha256), ..about.clone() };
    let evaluation = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
    let components = components(ae, split)?;
    let loss = charts::loss(&points);
    let errors = charts::histogram(&evaluation.test.row_errors)?;
    let size = split.test.image_size();
    let tiles = size.map(|size| made(weights::weights(ae, size))).transpose()?.flatten();
    let (shown, worst) = (chosen(&split.test), worst(&evaluation.test.row_errors));
    let samples = |rows: &[usize]| samples(ae, &split.test, rows, &evaluation.test.row_errors);
    let page = Page {
        about: &about,
        ae,
        split,
        evaluation: &evaluation,
        components,
        loss: &loss,
        errors: &errors,
        tiles: tiles.as_ref(),
        samples: samples(&shown)?,
        worst: samples(&worst)?,
    };
    let html = page::html(&page)?;

    let text = |name: &str, text: &str| files::write_atomic(&folder.join(name), |w| w.write_all(text.as_bytes()));
    text("loss.svg", &loss)?;
    text("errors.svg", &errors)?;
    if let Some(tiles) = &tiles {
        files::write_atomic(&folder.join("weights.png"), |w| w.write_all(&tiles.png))?;
    }
    let mut written = Written { page: folder.join("report.html"), picture: None };
    if let Some(size) = size {
        let path = folder.join("reconstruction.png");
        let both = |f: fn(&Sample) -> &[f32]| page.samples.iter().flat_map(f).copied().collect::<Vec<f32>>();
        let drawn = made(picture::comparison(&path, &both(|s| &s.original), &both(|s| &s.reconstruction), size))?;
        written.picture = drawn.map(|()| path);
    }
    about.write(&folder.join("run.json"))?;
    text("report.html", &html)?;
    Ok(written)
}

/// A picture, or none where it can't be drawn: too many pixels do not cost a run its page.
fn made<T>(picture: Result<T>) -> Result<Option<T>> {
    match picture {
        Ok(picture) => Ok(Some(picture)),
        Err(Error::Argument { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The errors of as many principal components as the code has numbers, summed per row, on training and test rows.
fn components(ae: &Autoencoder, split: &Split) -> Result<Option<[f64; 2]>> {
    let k = ae.code_width();
    if ae.inputs() > MOST_COLUMNS || k > ae.inputs() {
        return Ok(None);
    }
    let pca = Pca::fit(&ae.scaled(&split.train)?)?;
    // On the rows that it was fitted to, the error is the variance of the other components.
    let train = pca.variances()[k..].iter().sum::<f64>().max(0.0);
    Ok(Some([train, pca.errors(&ae.scaled(&split.test)?, &[k])?[0]]))
}

/// The first row of each class where there are labels, else the first rows.
fn chosen(data: &Dataset) -> Vec<usize> {
    let mut rows: Vec<usize> = match data.labels() {
        Some(labels) => (0..=u8::MAX).filter_map(|class| labels.iter().position(|&l| l == class)).collect(),
        None => (0..data.len()).collect(),
    };
    rows.truncate(SAMPLES);
    rows
}

/// The rows with the largest errors, largest first.
fn worst(errors: &[f64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..errors.len()).collect();
    rows.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    rows.truncate(SAMPLES);
    rows
}

fn samples(ae: &Autoencoder, data: &Dataset, rows: &[usize], errors: &[f64]) -> Result<Vec<Sample>> {
    let originals: Vec<f32> = rows.iter().flat_map(|&r| data.rows_f32(r..r + 1)).collect();
    let back = ae.reconstruct(&Dataset::from_rows("samples", originals.clone(), &[data.columns()])?)?;
    let tones = Tones::of(&originals);
    let (originals, back) = (tones.map(&originals), tones.map(&back.values));
    let pairs = originals.chunks_exact(data.columns()).zip(back.chunks_exact(data.columns()));
    let sample = |(&row, (x, y)): (&usize, (&[f32], &[f32]))| Sample {
        row,
        class: data.labels().map(|labels| data.class_name(labels[row])),
        error: errors[row],
        original: x.to_vec(),
        reconstruction: y.to_vec(),
    };
    Ok(rows.iter().zip(pairs).map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Fit, data};

    /// A folder after a training of one epoch, and what was trained.
    fn trained(split: &Split) -> (tempfile::TempDir, Autoencoder, About) {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::cpu().unwrap();
        let ae = Autoencoder::builder(split.train.columns()).hidden([8]).code(3).build(&device).unwrap();
        let history = ae.fit(&split.train, &Fit::default().epochs(1).test(&split.test)).unwrap();
        metrics::metrics(&folder.path().join("metrics.csv"), &history.epochs).unwrap();
        (folder, ae, About::new(&device, "<data>", "narrows train --out 'a & b'", 0.25).setting("seed", "<0>"))
    }

    #[test]
    fn images_give_every_file_and_a_page_that_needs_no_other() {
        let split = Split::new(data::digits(0, 0..300), data::digits(0, 300..400));
        let (folder, ae, about) = trained(&split);
        let written = run(folder.path(), &ae, &split, &about).unwrap();
        for file in ["loss.svg", "errors.svg", "weights.png", "reconstruction.png", "run.json", "report.html"] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        assert!(written.picture.is_some());
        let html = std::fs::read_to_string(&written.page).unwrap();
        assert!(html.contains("synthetic") && html.contains("narrows train --out 'a &amp; b'") && html.contains("&lt;0&gt;"));
        assert!(html.contains("measured while the weights still change; the test"));
        assert!(!html.contains("src=\"http") && !html.contains("<link") && !html.contains("<script"), "the page needs something else");
        assert!(html.matches("data:image/png;base64,").count() == 2 * 10 * 3 + 1);
        // The record gives the same page again; with other data there is no page.
        let kept = About::read(&folder.path().join("run.json")).unwrap();
        run(folder.path(), &ae, &split, &kept).unwrap();
        assert_eq!(std::fs::read_to_string(&written.page).unwrap(), html);
        let other = Split::new(data::digits(1, 0..300), split.test.clone());
        assert!(run(folder.path(), &ae, &other, &kept).unwrap_err().to_string().contains("not the data of the run"));
    }

    #[test]
    fn the_page_says_that_the_training_error_is_measured_with_dropout() {
        let split = Split::new(data::digits(0, 0..30), data::digits(0, 30..40));
        let (folder, _, about) = trained(&split);
        let ae = Autoencoder::builder(784).hidden([8]).code(3).dropout(0.3).build(&Device::cpu().unwrap()).unwrap();
        let html = std::fs::read_to_string(run(folder.path(), &ae, &split, &about).unwrap().page).unwrap();
        assert!(html.contains("while the weights still change and with part of each hidden layer dropped; the test error"));
    }

    #[test]
    fn pictures_that_are_too_large_do_not_cost_the_page() {
        // 10 pairs, four times enlarged and with their margins, are over 268 million pixels.
        let wide = |name| Dataset::from_rows(name, (0..10 << 18).map(|i| (i % 7) as f32 / 7.0).collect(), &[1, 1 << 18]).unwrap();
        let split = Split::new(wide("train"), wide("test"));
        let (folder, ae, about) = trained(&split);
        let written = run(folder.path(), &ae, &split, &about).unwrap();
        assert!(written.picture.is_none() && written.page.exists() && !folder.path().join("reconstruction.png").exists());
    }

    #[test]
    fn rows_that_are_no_images_give_a_page_without_pictures() {
        let rows = |from: usize, to: usize| (from * 5..to * 5).map(|i| (i * i % 101) as f32 / 25.0).collect();
        let set = |name, values| Dataset::from_rows(name, values, &[5]).unwrap();
        let split = Split::new(set("table", rows(0, 60)), set("table", rows(60, 80)));
        let (folder, ae, about) = trained(&split);
        let written = run(folder.path(), &ae, &split, &about).unwrap();
        assert!(written.picture.is_none() && !folder.path().join("weights.png").exists());
        let html = std::fs::read_to_string(&written.page).unwrap();
        assert!(!html.contains("data:image/png") && !html.contains("synthetic") && !html.contains("PSNR") && html.contains("PCA"));
    }
}
