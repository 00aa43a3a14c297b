//! Normal numbers as what they are: moments, the distribution function, and independence. A threshold is five standard
//! errors of what it bounds, for as many draws as are made; a right generator would miss one of them for one seed in
//! 100,000. The seed is fixed.

use narrows::{Clock, Device, Level, Tape, Tensor};

const DRAWS: usize = 1 << 24;

/// Draws of a stream at the clock's step.
fn draw(device: &Device, clock: &Clock, n: usize, purpose: u32) -> narrows::Result<Vec<f32>> {
    let mut tape = Tape::new(device);
    let y = tape.normal(&[n], 0.0, 1.0, 2011, purpose, clock)?;
    tape.read(y)
}

fn mean(terms: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = terms.len() as f64;
    terms.fold(0.0, |sum, x| sum + x) / n
}

/// The distribution function of the normal distribution.
fn below(x: f64) -> f64 {
    libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
}

/// `value` is within five standard errors of what it should be.
#[track_caller]
fn holds(what: &str, value: f64, expected: f64, standard_error: f64) {
    let off = (value - expected) / standard_error;
    println!("{what}: {value:.7}, {off:.2} standard errors of {standard_error:.1e} off");
    assert!(off.abs() <= 5.0, "{what} is {value}, which is {off} standard errors from {expected}");
}

/// The largest distance between the distribution functions of these draws and of the normal distribution, at every
/// 512th part of 1 from -8 to 8; and how many draws lie beyond.
fn distance(z: &[f32]) -> (f64, usize) {
    const PARTS: f64 = 512.0;
    let mut counts = vec![0u32; (16.0 * PARTS) as usize];
    let mut outside = 0;
    for &z in z {
        // Of draws that lie on a bound, which are few, half would count.
        match counts.get_mut(((f64::from(z) + 8.0) * PARTS) as usize) {
            Some(count) if z > -8.0 => *count += 1,
            _ => outside += 1,
        }
    }
    let (mut sum, mut most) = (0.0, 0f64);
    for (i, count) in counts.iter().enumerate() {
        sum += f64::from(*count);
        most = most.max((sum / z.len() as f64 - below((i as f64 + 1.0) / PARTS - 8.0)).abs());
    }
    (most, outside)
}

/// Neither the numbers of two streams nor their squares go together: both products have the mean of independent ones.
fn apart(what: &str, pairs: impl ExactSizeIterator<Item = (f64, f64)> + Clone) {
    let n = pairs.len() as f64;
    holds(what, mean(pairs.clone().map(|(a, b)| a * b)), 0.0, 1.0 / n.sqrt());
    // A square has a variance of 2.
    holds(&format!("{what}, squares"), mean(pairs.map(|(a, b)| (a * a - 1.0) * (b * b - 1.0))), 0.0, 2.0 / n.sqrt());
}

#[test]
fn draws_have_the_moments_and_the_distribution_of_the_normal_distribution() -> narrows::Result<()> {
    let device = Device::cpu_with(2, Level::best())?;
    let clock = Clock::new(&device)?;
    let z = draw(&device, &clock, DRAWS, 1)?;
    let n = DRAWS as f64;
    let power = |k: i32| mean(z.iter().map(|&z| f64::from(z).powi(k)));
    let [m1, m2, m3, m4] = [1, 2, 3, 4].map(power);
    let variance = m2 - m1 * m1;
    holds("mean", m1, 0.0, (1.0 / n).sqrt());
    holds("variance", variance, 1.0, (2.0 / n).sqrt());
    holds("skewness", (m3 - 3.0 * m1 * m2 + 2.0 * m1.powi(3)) / variance.powf(1.5), 0.0, (6.0 / n).sqrt());
    holds("kurtosis", (m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1.powi(4)) / variance.powi(2), 3.0, (24.0 / n).sqrt());
    // Kolmogorov: the distance times the root of n is above 2.55 with a probability of 2 exp(-2 * 2.55^2) = 4.5e-6.
    let (most, outside) = distance(&z);
    println!("Kolmogorov: {most:.7}, times the root of n {:.3}", most * n.sqrt());
    assert!(most * n.sqrt() < 2.55 && outside == 0, "{most}, {outside} outside");
    // Of the two tails beyond 4.5 there are 114 expected, and none beyond what 24 bits give.
    let tail = z.iter().filter(|z| z.abs() > 4.5).count() as f64;
    let expected = 2.0 * n * below(-4.5);
    holds("tails", tail, expected, expected.sqrt());
    assert!(z.iter().all(|z| z.abs() < 5.77));
    // The other of a pair, and the pairs beside it; one of four is another block of Philox.
    let wide = |i: usize| f64::from(z[i]);
    for lag in 1..=5 {
        apart(&format!("{lag} further"), (0..DRAWS - lag).map(|i| (wide(i), wide(i + lag))));
    }
    Ok(())
}

#[test]
fn steps_purposes_and_seeds_are_independent() -> narrows::Result<()> {
    let device = Device::cpu_with(2, Level::best())?;
    let clock = Clock::new(&device)?;
    let n = DRAWS / 8;
    let first = draw(&device, &clock, n, 1)?;
    let other = draw(&device, &clock, n, 2)?;
    let mut tape = Tape::new(&device);
    tape.advance(&clock, 1, &Tensor::indices(&device, &[0], 1)?)?;
    let next = draw(&device, &clock, n, 1)?;
    let y = tape.normal(&[n], 0.0, 1.0, 2012, 1, &clock)?;
    let seed = tape.read(y)?;
    let pairs = |a: &'_ [f32], b: &'_ [f32]| -> Vec<(f64, f64)> { a.iter().zip(b).map(|(&a, &b)| (a.into(), b.into())).collect() };
    apart("another purpose", pairs(&first, &other).into_iter());
    apart("the next step", pairs(&first, &next).into_iter());
    apart("another purpose at another step", pairs(&other, &next).into_iter());
    apart("another seed", pairs(&next, &seed).into_iter());
    let again = draw(&device, &Clock::new(&device)?, n, 1)?;
    assert!(again == first, "the same draws from the same numbers");
    Ok(())
}

/// The tests are tested: a distribution that is off by a few thousandths must not pass.
#[test]
fn what_is_not_normal_is_noticed() -> narrows::Result<()> {
    let device = Device::cpu_with(2, Level::best())?;
    let z = draw(&device, &Clock::new(&device)?, DRAWS / 4, 1)?;
    let root = (z.len() as f64).sqrt();
    assert!(distance(&z).0 * root < 2.55);
    for wrong in [|z: f32| z * 1.01, |z: f32| z + 0.005, |z: f32| z.signum() * z.abs().powf(1.02)] {
        assert!(distance(&z.iter().map(|&z| wrong(z)).collect::<Vec<_>>()).0 * root > 2.55);
    }
    Ok(())
}
