//! Principal components against published numbers, and a linear autoencoder against principal components.

use crate::common;
use narrows::data::{self, Dataset};
use narrows::tasks::Pca;
use narrows::{Autoencoder, Device, Fit};

/// Sum over the pixels of (x - y)^2, mean over MNIST's test images; fitted to its training images.
#[test]
fn the_errors_on_mnist_are_the_known_ones() {
    let Some(mnist) = common::folder("NARROWS_MNIST") else { return };
    let mnist = data::open(&mnist.to_string_lossy()).unwrap();
    let start = std::time::Instant::now();
    let pca = Pca::fit(&mnist.train).unwrap();
    let fitted = start.elapsed().as_secs_f64();
    let errors = pca.errors(&mnist.test, &[2, 30, 32, 64]).unwrap();
    println!("fit {fitted:.2} s, errors {errors:.5?}");
    for (error, known) in errors.iter().zip([43.645, 13.866, 13.193, 7.093]) {
        assert!((error - known).abs() < 6e-4, "{error} for {known}");
    }
}

/// 28 x 28 to 7 x 7 by averaging.
fn small(data: &Dataset) -> Dataset {
    let average = |image: &[f32], at: usize| -> f32 {
        let (top, left) = (at / 7 * 4, at % 7 * 4);
        (0..16).map(|i| image[(top + i / 4) * 28 + left + i % 4]).sum::<f32>() / 16.0
    };
    let rows = data.rows_f32(0..data.len());
    let values = rows.chunks_exact(784).flat_map(|image| (0..49).map(move |at| average(image, at))).collect();
    Dataset::from_rows("7x7", values, &[1, 7, 7]).unwrap()
}

/// An upper bound of the sine of the largest angle between the span of `columns` ([d, k], row-major) and that of the
/// first k components: the Frobenius norm of what the components leave of an orthonormal basis.
fn angle(columns: &[f32], k: usize, pca: &Pca) -> f64 {
    let d = columns.len() / k;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for j in 0..k {
        let mut v: Vec<f64> = (0..d).map(|i| f64::from(columns[i * k + j])).collect();
        // Twice is enough (Kahan).
        for _ in 0..2 {
            for b in &basis {
                let along = dot(&v, b);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
            }
        }
        let norm = dot(&v, &v).sqrt();
        basis.push(v.iter().map(|v| v / norm).collect());
    }
    let left = |v: &Vec<f64>| 1.0 - (0..k).map(|i| dot(v, pca.component(i).unwrap()).powi(2)).sum::<f64>();
    basis.iter().map(left).sum::<f64>().max(0.0).sqrt()
}

/// Baldi and Hornik 1989: the only minimum is the span of the principal components. Adam finds it to the precision of
/// f32.
#[test]
fn a_linear_autoencoder_becomes_principal_component_analysis() {
    const CODE: usize = 6;
    let digits = small(&data::digits(0, 0..1000));
    let pca = Pca::fit(&digits).unwrap();
    let best = pca.errors(&digits, &[CODE]).unwrap()[0] / 49.0;
    let ae = Autoencoder::builder(49).linear().code(CODE).build(&Device::cpu().unwrap()).unwrap();
    let start = std::time::Instant::now();
    for (rate, epochs) in [(1e-2, 1000), (1e-3, 1000), (1e-4, 500), (1e-5, 300)] {
        let fit = Fit::default().batch_size(1000).learning_rate(rate).epochs(epochs);
        ae.fit(&digits, &fit).unwrap();
        let error = ae.evaluate(&digits).unwrap();
        let angle = angle(&ae.params().read("decoder.0.weight").unwrap(), CODE, &pca);
        println!(
            "rate {rate}: error {error:.8}, above {:.2e}, angle {angle:.2e}, {:.2} s",
            error / best - 1.0,
            start.elapsed().as_secs_f64()
        );
    }
    let error = ae.evaluate(&digits).unwrap();
    assert!((error / best - 1.0).abs() < 1e-5, "{error} for {best}");
    let angle = angle(&ae.params().read("decoder.0.weight").unwrap(), CODE, &pca);
    assert!(angle < 1e-3, "{angle} rad");
    #[cfg(feature = "files")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("linear.safetensors");
        ae.save(&path).unwrap();
        let again = Autoencoder::load(ae.device(), &path).unwrap();
        assert_eq!((again.output(), again.evaluate(&digits).unwrap()), (narrows::nn::Output::Linear, error));
    }
}
