//! Everything in the folder of a run that people look at.

use super::about::About;
use super::components::Components;
use super::family;
use super::gallery::{self, Samples};
use super::page::{self, Page};
use super::verdict::Course;
use super::weights::{self, Tiles};
use super::{Verdict, charts, map, metrics, picture, table};
use crate::data::{Dataset, Split, fingerprint, has_fingerprint};
use crate::train::Evaluation;
use crate::{Autoencoder, Error, Result, files};
use std::path::{Path, PathBuf};

/// The files that [`run`] wrote, and what the page says.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Written {
    /// `report.html`.
    pub page: PathBuf,
    /// `reconstruction.png`, where the rows are images that can be drawn.
    pub picture: Option<PathBuf>,
    /// What the training has come to.
    pub verdict: Verdict,
    /// What could not be drawn, and why: a text for each.
    pub absent: Vec<String>,
}

/// Measures a trained network and writes into its folder, which holds a `metrics.csv`: `run.json`, `loss.svg`,
/// `errors.svg`, the self-contained page `report.html`, and, where the rows are images, `reconstruction.png` and
/// `weights.png`. What can't be drawn of these rows, such as a picture of too many pixels, is left out and named on the
/// page.
///
/// # Errors
/// When the data do not fit the network or are not those of the run, `metrics.csv` is not such a table, the device
/// fails, or a file can't be written.
pub fn run(folder: &Path, ae: &Autoencoder, split: &Split, about: &About) -> Result<Written> {
    let points = metrics::read_metrics(&folder.join("metrics.csv"))?;
    let sha256 = fingerprint(split);
    if let Some(known) = about.sha256.as_deref().filter(|&known| known != sha256 && !has_fingerprint(split, known)) {
        let problem = format!("these are not the data of the run (SHA-256 {sha256:.12}..., not {known:.12}...)");
        return Err(Error::data(&about.data, problem, "Name the data that it was trained on."));
    }
    let about = About { sha256: Some(sha256), ..about.clone() };
    about.write(&folder.join("run.json"))?;
    let evaluation = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
    let mut absent = Vec::new();
    let components = made("comparison with principal components", Components::of(ae, split), &mut absent)?;
    let held_out = held_out(split, &about);
    let course = Course::of(&points, split.train.len() - held_out, &evaluation, &about);
    let verdict = Verdict::of(ae, split, &evaluation, components, &about, &course)?;
    let loss = charts::loss(&points);
    let errors = charts::histogram(&evaluation.test.row_errors)?;
    let text = |name: &str, text: &str| files::write_atomic(&folder.join(name), |w| w.write_all(text.as_bytes()));
    text("loss.svg", &loss)?;
    text("errors.svg", &errors)?;
    let (test, row_errors) = (&split.test, &evaluation.test.row_errors);
    let drawn = match test.image_dims() {
        Some(dims) => images(folder, ae, test, dims, row_errors, &mut absent)?,
        None => table(ae, test, row_errors, &mut absent)?,
    };
    let parts = made("sections of its parts", family::html(ae, test, &about), &mut absent)?;
    let map = made("map of the codes", map::html(ae, test), &mut absent)?;
    let page = Page {
        about: &about,
        parts: parts.as_deref().unwrap_or_default(),
        map: map.as_deref().unwrap_or_default(),
        ae,
        split,
        evaluation: &evaluation,
        verdict: &verdict,
        components,
        held_out,
        loss: &loss,
        errors: &errors,
        rows: drawn.rows.as_deref().unwrap_or_default(),
        tiles: drawn.tiles.as_ref(),
        absent: &absent,
    };
    text("report.html", &page::html(&page))?;
    Ok(Written { page: folder.join("report.html"), picture: drawn.picture, verdict, absent })
}

/// How many of the training rows were held out to validate on.
fn held_out(split: &Split, about: &About) -> usize {
    let share = about.get("validation").and_then(|share| share.parse::<f64>().ok()).unwrap_or(0.0);
    ((split.train.len() as f64 * share).round() as usize).min(split.train.len())
}

/// What was drawn of the rows.
#[derive(Default)]
struct Drawn {
    /// Their part of the page.
    rows: Option<String>,
    tiles: Option<Tiles>,
    picture: Option<PathBuf>,
}

fn images(folder: &Path, ae: &Autoencoder, test: &Dataset, dims: [usize; 3], errors: &[f64], absent: &mut Vec<String>) -> Result<Drawn> {
    let tiles = made("weights.png", weights::weights(ae, dims), absent)?;
    if let Some(tiles) = &tiles {
        files::write_atomic(&folder.join("weights.png"), |w| w.write_all(&tiles.png))?;
    }
    let shown = Samples::of(ae, test, dims, gallery::chosen(test))?;
    let worst = Samples::of(ae, test, dims, gallery::worst(errors))?;
    let path = folder.join("reconstruction.png");
    let both = picture::comparison(&path, &shown.originals, &shown.reconstructions, dims);
    let picture = made("reconstruction.png", both, absent)?.map(|()| path);
    let rows = made("pictures of rows", gallery::html(&shown, &worst, errors), absent)?;
    Ok(Drawn { rows, tiles, picture })
}

fn table(ae: &Autoencoder, test: &Dataset, errors: &[f64], absent: &mut Vec<String>) -> Result<Drawn> {
    let rows = made("errors of columns", table::html(ae, test, errors), absent)?;
    Ok(Drawn { rows, ..Drawn::default() })
}

/// What was made, or a line on why it can't be. Errors of the system and of the device remain errors.
fn made<T>(what: &str, made: Result<T>, absent: &mut Vec<String>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(e @ (Error::Io { .. } | Error::Device { .. })) => Err(e),
        // What is named already is not named twice.
        Err(Error::Argument { name, problem, remedy }) if what.ends_with(&name) => {
            absent.push(format!("no {what}: {problem}. {remedy}"));
            Ok(None)
        }
        Err(e) => {
            absent.push(format!("no {what}: {e}"));
            Ok(None)
        }
    }
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
        assert!(html.contains("measured while the weights still change; the test") && !html.contains("of an ensemble"));
        let html_of = |about: &About| std::fs::read_to_string(run(folder.path(), &ae, &split, about).unwrap().page).unwrap();
        assert!(html_of(&about.clone().setting("ensemble", 3)).contains("This page shows the first of the 3 networks of an ensemble."));
        run(folder.path(), &ae, &split, &about).unwrap();
        assert!(!html.contains("src=\"http") && !html.contains("<link") && !html.contains("<script src"), "the page needs something else");
        assert!(html.matches("data:image/png;base64,").count() == 2 * 10 * 3 + 1 + 1);
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
        let said = "no reconstruction.png: comparison: 10 pairs of 1x262144 make a picture of";
        assert!(written.absent.iter().any(|absent| absent.starts_with(said)), "{:?}", written.absent);
        assert!(std::fs::read_to_string(&written.page).unwrap().contains(&format!("<li>{said}")));
    }

    #[test]
    fn principal_components_that_would_take_too_long_are_named_on_the_page() {
        let rows = |count: usize| Dataset::from_bytes("wide", (0..count * 2700).map(|i| (i * i % 251) as u8).collect(), &[2700]).unwrap();
        let split = Split::new(rows(2700), rows(5));
        let (folder, ae, about) = trained(&split);
        let written = run(folder.path(), &ae, &split, &about).unwrap();
        let [absent] = &written.absent[..] else { panic!("{:?}", written.absent) };
        assert_eq!(
            absent,
            "no comparison with principal components: 2700 rows of 2700 columns would take longer to fit than 20 s. Use fewer columns \
             to compare with them."
        );
        let html = std::fs::read_to_string(&written.page).unwrap();
        assert!(html.contains(absent.as_str()) && !html.contains("best linear code"));
        assert_eq!(written.verdict.components, None);
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
        assert!(
            !html.contains("data:image/png")
                && !html.contains("synthetic")
                && !html.contains("PSNR")
                && html.contains("PCA is the best linear code")
        );
        assert!(html.matches("class=\"spark\"").count() == 5 && html.contains("Codes of test rows"), "columns and codes are drawn");
        assert_eq!(html.matches("back as").count(), 3 * 10, "three columns of each of the worst rows");
        assert!(html.contains("<thead><tr><th>row</th><th>MSE</th>") && html.contains("The test rows with the largest errors: "), "{html}");
    }

    #[test]
    fn a_table_has_no_decibels_what_filled_a_gap_is_marked_and_few_rows_are_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let gap = |i: usize| ["?", "", "NA"][i % 3].to_string();
        let line = |i: usize| format!("n{i},{},{}\n", i % 7, if i.is_multiple_of(4) { (i % 8).to_string() } else { gap(i) });
        std::fs::write(&path, "name,x,long_name\n".to_string() + &(0..30).map(line).collect::<String>()).unwrap();
        let split = data::Options::default().id("name").missing(data::Missing::Mean).open(&path).unwrap();
        let split = Split::new(split.train.scaled_by(&data::Scaler::min_max(&split.train).unwrap()).unwrap(), split.test.head(4));
        let (folder, ae, about) = trained(&split);
        let about = about.setting("validation", 0.2).setting("batch size", 128);
        let html = std::fs::read_to_string(run(folder.path(), &ae, &split, &about).unwrap().page).unwrap();
        assert!(html.contains("<b>long_<wbr>name</b> (gap, filled with 2.000)"), "{html}");
        assert!(!html.contains("PSNR") && html.contains("<th>id</th><th>MSE</th>"), "{html}");
        assert!(html.contains("All test rows (4 rows), those with the largest errors first: "), "{html}");
        assert!(html.contains("<dd>5 rows, held out of those to train on</dd>") && html.contains("<dd>20 rows</dd>"), "{html}");
    }

    #[test]
    fn pictures_are_named_by_the_ends_of_their_paths() {
        let dataset = |rows: std::ops::Range<u32>| {
            let ids = rows.clone().map(|row| format!("owl/deep <{row}>.png")).collect();
            data::digits(0, rows).with_ids(ids)
        };
        let split = Split::new(dataset(0..30), dataset(30..50));
        let (folder, ae, about) = trained(&split);
        let html = std::fs::read_to_string(run(folder.path(), &ae, &split, &about).unwrap().page).unwrap();
        assert!(html.contains("<small>deep &lt;30&gt;.png</small>") && html.contains("title=\"test row owl/deep &lt;30&gt;.png, class"));
        assert!(html.contains("The 10 test rows with the largest errors"));
        let few = Split::new(dataset(0..30), dataset(30..32));
        let (folder, ae, about) = trained(&few);
        let html = std::fs::read_to_string(run(folder.path(), &ae, &few, &about).unwrap().page).unwrap();
        assert!(html.contains("All test rows (2), those with the largest errors first"), "{html}");
    }
}
