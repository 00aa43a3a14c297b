//! What the parts of a network bring to the page: noise taken away, samples, lines through the code, activities.

use super::about::About;
use super::charts::{grouped, short};
use super::gallery;
use super::page::data_uri;
use super::plot::{Axis, Plot};
use super::{picture, weights};
use crate::data::Dataset;
use crate::nn::{Corruption, Output};
use crate::tasks::{self, Activity, Denoised, Denoising, Latent};
use crate::{Autoencoder, Loss, Result};
use std::fmt::{Display, Write};
use std::str::FromStr;

/// Samples in a line, and lines.
const SAMPLES: [usize; 2] = [16, 4];
/// Units whose lines are drawn, and images in a line.
const UNITS: usize = 10;
const STEPS: usize = 11;
/// Rows whose Jacobians are taken.
const MOVED: usize = 1000;
/// The seed of what is drawn for the page.
const SEED: u64 = 0;

/// The sections of the parts that this network has.
pub(super) fn html(ae: &Autoencoder, test: &Dataset, about: &About) -> Result<String> {
    let mut out = String::new();
    if let Some(noise) = setting::<Corruption>(about, "noise") {
        out += &denoising(ae, test, noise)?;
    }
    if ae.spec().variational {
        let usual = if ae.output() == Output::Sigmoid { Loss::Bce } else { Loss::Mse };
        let (loss, beta) = (setting(about, "loss").unwrap_or(usual), setting(about, "beta").unwrap_or(1.0));
        out += &variational(ae, test, &Latent::of(ae, test, loss, beta, SEED)?)?;
    }
    let activity = Activity::of(ae, test)?;
    if activity.on < activity.shares.len() as f64 {
        out += &activities(ae, test, &activity)?;
    }
    if setting::<f32>(about, "contractive").is_some_and(|weight| weight > 0.0) {
        out += &contraction(ae, test, setting(about, "seed").unwrap_or(0))?;
    }
    Ok(out)
}

/// A setting of the run, as it is spelled.
fn setting<T: FromStr>(about: &About, name: &str) -> Option<T> {
    about.settings.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok())
}

/// A section with a title.
fn section(title: &str, inside: &dyn Display) -> String {
    format!("<section class=\"keep\"><h2>{title}</h2>{inside}</section>\n")
}

/// A table with a line for each pair of numbers.
fn numbers(head: [&str; 2], lines: &[(&str, [String; 2])]) -> String {
    let mut out = format!("<table class=\"numbers\"><thead><tr><th></th><th>{}</th><th>{}</th></tr></thead><tbody>", head[0], head[1]);
    for (name, [a, b]) in lines {
        let _ = write!(out, "<tr><th>{name}</th><td>{a}</td><td>{b}</td></tr>");
    }
    out + "</tbody></table>"
}

fn figure(png: &[u8], alt: &str, caption: &str) -> String {
    format!("<figure class=\"tiles\"><img alt=\"{alt}\" src=\"{}\"><figcaption>{caption}</figcaption></figure>", data_uri(png))
}

fn denoising(ae: &Autoencoder, test: &Dataset, noise: Corruption) -> Result<String> {
    let Denoising { noisy, denoised, .. } = Denoising::of(ae, test, noise, SEED)?;
    let mut inside = String::new();
    if let Some(dims) = test.image_dims() {
        let shown = test.selected(&gallery::chosen(test));
        let Denoised { clean, noisy, denoised } = Denoised::of(ae, &shown, noise, SEED)?;
        let all = [clean, noisy, denoised].concat();
        inside += &figure(&picture::grid(&all, dims, shown.len())?, "clean, noisy and denoised", "Clean, noisy and denoised test rows.");
    }
    let mut lines = vec![("MSE per element", [short(noisy.mse), short(denoised.mse)])];
    if ae.output() == Output::Sigmoid {
        let decibel = |value: f64| format!("{value:.2} dB");
        lines.push(("PSNR, mean over rows", [noisy.psnr_of_rows, denoised.psnr_of_rows].map(decibel)));
        lines.push(("PSNR of the mean MSE", [noisy.psnr_of_mean, denoised.psnr_of_mean].map(decibel)));
    }
    inside += &numbers(["noisy", "denoised"], &lines);
    inside += &format!("<p class=\"note\">All {} test rows with noise {noise}, drawn with seed {SEED}.</p>", grouped(test.len()));
    Ok(section("Noise taken away", &inside))
}

fn variational(ae: &Autoencoder, test: &Dataset, latent: &Latent) -> Result<String> {
    let (kl, units) = (latent.divergence(), latent.variances.len());
    let whole = |error: f64| short(error + f64::from(latent.beta) * kl);
    let mut out = String::new();
    if let Some(dims) = test.image_dims() {
        let [columns, lines] = SAMPLES;
        let rows = tasks::sample(ae, columns * lines, SEED)?;
        let caption = format!("Codes drawn from a standard normal distribution with seed {SEED}, none chosen by its looks.");
        out += &section("Drawn from the prior", &figure(&picture::grid(&rows.values, dims, columns)?, "samples", &caption));
        out += &section("One unit at a time", &traversals(ae, test, dims, latent)?);
    }
    let lines = [
        ("loss", [whole(latent.drawn), whole(latent.with_means)]),
        ("reconstruction, sum per row", [latent.drawn, latent.with_means].map(short)),
        ("divergence from the prior, nats per row", [short(kl), short(kl)]),
    ];
    let mut inside = numbers(["one drawn code", "the mean"], &lines);
    inside += &format!(
        "<p class=\"note\">{} of {units} units are active: their mean varies over the test rows by more than 0.01. The weight of the divergence is {}.</p>",
        latent.active(),
        latent.beta
    );
    inside += &format!(
        "<figure>{}</figure>",
        bars("Divergence of each unit", "nats, mean over the test rows", &sorted(&latent.divergences)).trim_end()
    );
    Ok(out + &section("What the code holds", &inside))
}

/// A line of images for each of the units that hold the most.
fn traversals(ae: &Autoencoder, test: &Dataset, dims: [usize; 3], latent: &Latent) -> Result<String> {
    let rows = tasks::traverse(ae, &tasks::mean_code(ae, test)?, STEPS)?;
    let mut units: Vec<usize> = (0..latent.divergences.len()).collect();
    units.sort_by(|&a, &b| latent.divergences[b].total_cmp(&latent.divergences[a]));
    units.truncate(UNITS);
    let mut out = String::from("<table class=\"lines\">");
    for &unit in &units {
        let line = &rows.values[unit * STEPS * ae.inputs()..(unit + 1) * STEPS * ae.inputs()];
        let uri = data_uri(&picture::grid(line, dims, STEPS)?);
        let nats = latent.divergences[unit];
        let _ = write!(out, "<tr><th>unit {unit}<span>{nats:.2} nats</span></th><td><img alt=\"unit {unit}\" src=\"{uri}\"></td></tr>");
    }
    let which = if units.len() < latent.divergences.len() { format!("The {UNITS} units that hold the most. ") } else { String::new() };
    Ok(out
        + &format!("</table><p class=\"note\">{which}Each goes from -3 to 3 while the others stay at the mean code of the test rows.</p>"))
}

fn activities(ae: &Autoencoder, test: &Dataset, activity: &Activity) -> Result<String> {
    let (units, dead) = (activity.shares.len(), activity.dead());
    let mut inside = format!(
        "<p class=\"note\">Of {} units {} are not 0 in a test row, in the mean; {} are 0 in all of them. Explained variance: {:.4}.</p><figure>{}</figure>",
        grouped(units),
        short(activity.on),
        grouped(dead),
        activity.explained_variance,
        bars("How often each unit is on", "share of the test rows", &sorted(&activity.shares)).trim_end()
    );
    if let Some(dims) = test.image_dims() {
        let tiles = weights::atoms(ae, &ae.encode(test)?, dims)?;
        let more = if tiles.shown < tiles.units { format!(" The first {} of {}.", tiles.shown, tiles.units) } else { String::new() };
        let caption =
            format!("What each unit adds to an image: <b class=\"pos\">red</b> adds light, <b class=\"neg\">blue</b> takes it.{more}");
        inside += &figure(&tiles.png, "atoms", &caption);
    }
    Ok(section("Units at work", &inside))
}

/// How far codes move with their rows, beside the network before it was trained: what a training without the penalty
/// makes of it, another training has to say.
fn contraction(ae: &Autoencoder, test: &Dataset, seed: u64) -> Result<String> {
    let rows = test.head(MOVED);
    let untrained = Autoencoder::new(ae.spec().clone(), seed, ae.device())?;
    let norms = [tasks::jacobian_norm(ae, &rows)?, tasks::jacobian_norm(&untrained, &rows)?].map(short);
    let mut inside = numbers(["trained", "untrained"], &[("squared norm of the code's Jacobian", norms)]);
    inside += &format!(
        "<p class=\"note\">The mean over {} test rows. A plain network's stands in a run without --contractive: <code>narrows eval --jacobian</code>.</p>",
        grouped(rows.len())
    );
    Ok(section("How far codes move", &inside))
}

/// Largest first.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted
}

/// A bar for each unit.
fn bars(title: &str, y: &str, values: &[f64]) -> String {
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let count = values.len() as f64;
    let mut plot = Plot::new(title, (760.0, 220.0), Axis::linear("units, largest first", 0.0, count), Axis::linear(y, 0.0, 1.1 * most));
    for (at, &value) in values.iter().enumerate() {
        plot.bar("a", at as f64, at as f64 + 1.0, value);
    }
    plot.svg()
}
