//! How well anomalies are found, and in which time: `cargo bench --bench anomalies`.
//!
//! `NARROWS_ADBENCH` names a folder with sets of ADBench (.npz with `X` and `y`). A network is trained on all rows of a
//! set without their labels, and the same rows are ranked; of more than 50,000 rows that many are taken, evenly.
//! `NARROWS_MNIST` names the folder with MNIST's files: a network is trained on one digit, and ranks all test images.

use narrows::data::{Dataset, Options, Scaler};
use narrows::nn::{Activation, Corruption, Output, Typical};
use narrows::tasks::Detection;
use narrows::{Autoencoder, Device, Fit, Result};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Steps of a training on a table, and rows in a step.
const STEPS: usize = 500;
const BATCH: usize = 128;
const MOST_ROWS: usize = 50_000;
const SEEDS: u64 = 3;

fn main() -> Result<()> {
    let device = Device::cpu()?;
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    match folder("NARROWS_ADBENCH") {
        Some(folder) => tables(&folder, &device)?,
        None => println!("NARROWS_ADBENCH names no folder: tables are left out"),
    }
    match folder("NARROWS_MNIST") {
        Some(folder) => one_class(&folder, &device)?,
        None => println!("NARROWS_MNIST names no folder: digits are left out"),
    }
    Ok(())
}

/// AUROC and average precision by the plain error and by the error with the distance of the code.
fn measured(ae: &Autoencoder, rows: &Dataset, is_anomaly: &[bool]) -> Result<[f64; 4]> {
    let by = |scores: Vec<f32>| Detection::of(&scores, is_anomaly);
    let (error, distance) = (by(ae.score(rows)?)?, by(ae.distance_score(rows)?)?);
    Ok([error.auroc, error.average_precision, distance.auroc, distance.average_precision])
}

/// A network that knows what is typical of its rows.
fn trained(ae: Autoencoder, rows: &Dataset, fit: &Fit) -> Result<Autoencoder> {
    ae.fit(rows, fit)?;
    let typical = Typical::of(&ae, rows)?;
    ae.with_typical(typical)
}

fn tables(folder: &Path, device: &Device) -> Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "npz"));
    files.sort();
    println!("{:<24} {:>7} {:>7}   {:>15}   {:>15}   {:>7}", "set", "rows", "columns", "error", "with distance", "s");
    let (mut means, mut seconds) = ([0.0; 4], 0.0);
    for file in &files {
        let all = Options::default().array("X").label("y").read(file)?;
        let some = (0..MOST_ROWS.min(all.len())).map(|at| at * all.len() / MOST_ROWS.min(all.len())).collect::<Vec<_>>();
        let rows = all.selected(&some);
        let is_anomaly: Vec<bool> = rows.labels().into_iter().flatten().map(|label| *label == 1).collect();
        let epochs = STEPS.div_ceil(rows.len().div_ceil(BATCH));
        let (mut found, begin) = ([0.0; 4], Instant::now());
        for seed in 0..SEEDS {
            let ae = Autoencoder::builder(rows.columns()).layers([64, 32]).activation(Activation::Leaky).output(Output::Linear);
            let ae = ae.seed(seed).build(device)?.with_scaler(Scaler::standard(&rows)?)?;
            let fit = Fit::default().epochs(epochs).evaluate_every(epochs).batch_size(BATCH).noise(Corruption::Mask(0.7)).seed(seed);
            let ae = trained(ae, &rows, &fit)?;
            found.iter_mut().zip(measured(&ae, &rows, &is_anomaly)?).for_each(|(sum, one)| *sum += one / SEEDS as f64);
        }
        let took = begin.elapsed().as_secs_f64() / SEEDS as f64;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let [a, b, c, d] = found;
        println!("{name:<24} {:>7} {:>7}   {a:.4}   {b:.4}   {c:.4}   {d:.4}   {took:>7.2}", rows.len(), rows.columns());
        means.iter_mut().zip(found).for_each(|(sum, one)| *sum += one / files.len() as f64);
        seconds += took;
    }
    let [a, b, c, d] = means;
    println!("{:<24} {:>7} {:>7}   {a:.4}   {b:.4}   {c:.4}   {d:.4}   {seconds:>7.2}", "mean; seconds in all", "", "");
    Ok(())
}

fn one_class(folder: &Path, device: &Device) -> Result<()> {
    let digits = Options::default().open(folder)?;
    println!("{:<24} {:>7}   {:>15}   {:>15}", "digit", "rows", "error", "with distance");
    let labels = |rows: &Dataset| rows.labels().map(<[u8]>::to_vec).unwrap_or_default();
    let (train, test) = (labels(&digits.train), labels(&digits.test));
    let (mut means, begin) = ([0.0; 4], Instant::now());
    for digit in 0..10 {
        let own: Vec<usize> = (0..train.len()).filter(|&row| train[row] == digit).collect();
        let rows = digits.train.selected(&own);
        let ae = Autoencoder::builder(784).layers([128, 32]).build(device)?;
        let ae = trained(ae, &rows, &Fit::default().epochs(20).evaluate_every(20))?;
        let is_anomaly: Vec<bool> = test.iter().map(|&label| label != digit).collect();
        let found = measured(&ae, &digits.test, &is_anomaly)?;
        println!("{digit:<24} {:>7}   {:.4}   {:.4}   {:.4}   {:.4}", rows.len(), found[0], found[1], found[2], found[3]);
        means.iter_mut().zip(found).for_each(|(sum, one)| *sum += one / 10.0);
    }
    let [a, b, c, d] = means;
    println!("{:<24} {:>7}   {a:.4}   {b:.4}   {c:.4}   {d:.4}   {:.1} s", "mean", "", begin.elapsed().as_secs_f64());
    Ok(())
}
