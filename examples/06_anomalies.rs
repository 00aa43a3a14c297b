//! 6. A table with columns in any unit: a row that a network trained on usual rows reconstructs badly is unusual.

use narrows::data::{Dataset, Scaler};
use narrows::nn::Quantiles;
use narrows::tasks::Detection;
use narrows::{Autoencoder, Device, Fit};

fn main() -> narrows::Result<()> {
    // Five sensors that follow two hidden quantities; in every hundredth row one of them is broken.
    let wave = |i: usize, f: f32| (i as f32 * f).sin();
    let row = |i: usize| {
        let (a, b) = (wave(i, 0.37), wave(i, 0.73));
        let mut row = [20.0 + 5.0 * a, 1013.0 - 9.0 * b, 0.4 + 0.1 * a * b, 1e-3 * (a + b), 300.0 * (a - b)];
        if i % 100 == 99 {
            row[i / 100 % 5] += [9.0, 15.0, 0.2, 2e-3, 400.0][i / 100 % 5];
        }
        row
    };
    let usual: Vec<f32> = (0..5_000).filter(|i| i % 100 != 99).flat_map(row).collect();
    let train = Dataset::from_rows("usual", usual, &[5])?;
    let new = Dataset::from_rows("new", (5_000..7_000).flat_map(row).collect(), &[5])?;

    let ae = Autoencoder::builder(5).hidden([32, 16]).code(2).build(&Device::cpu()?)?;
    let ae = ae.with_scaler(Scaler::min_max(&train)?)?; // rows go in and come out in their own units
    ae.fit(&train, &Fit::default().epochs(60).batch_size(64).learning_rate(3e-3))?;

    // What is rare is known from the training, so that it holds for a single row too.
    let threshold = Quantiles::of(&ae.score(&train)?)?.threshold(0.001)?;
    let scores = ae.score(&new)?;
    let found: Vec<usize> = (0..new.len()).filter(|&i| scores[i] >= threshold).collect();
    let right = found.iter().filter(|&&i| i % 100 == 99).count();
    println!("{} of 2,000 rows score {threshold:.2e} or more; {right} of the 20 broken ones are among them", found.len());
    println!("{}", Detection::of(&scores, &(0..new.len()).map(|i| i % 100 == 99).collect::<Vec<_>>())?);
    let worst = (0..new.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or_default();
    for chunk in ae.explain_stream(new.rows(worst..worst + 1).chunks(), 1)? {
        let cause = &chunk?.causes[0][0];
        println!("row {worst}: {} is {}, back as {}: {:.0} %", cause.name, cause.value, cause.reconstruction, 100.0 * cause.share);
    }
    Ok(())
}
