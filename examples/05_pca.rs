//! 5. Without hidden layers and activations an autoencoder is principal component analysis (Baldi and Hornik 1989).
//!
//! That is the linear code that every other one must beat.

use narrows::tasks::Pca;
use narrows::{Autoencoder, Device, Fit, Schedule, data};

fn main() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let digits = data::open("builtin")?;
    let pca = Pca::fit(&digits.train)?;
    let fit = Fit::default().epochs(5).schedule(Schedule::Cosine { to: 0.0 }).learning_rate(2e-3);
    let sum = |mse: f64| 784.0 * mse;
    println!("code   PCA  linear  deep   (squared error, sum per test image)");
    for code in [4, 16, 64] {
        let linear = Autoencoder::builder(784).linear().code(code).build(&device)?;
        linear.fit(&digits.train, &fit)?;
        let deep = Autoencoder::builder(784).hidden([256, 128]).code(code).build(&device)?;
        deep.fit(&digits.train, &fit)?;
        println!(
            "{code:>4} {:>6.2} {:>6.2} {:>6.2}",
            pca.errors(&digits.test, &[code])?[0],
            sum(linear.evaluate(&digits.test)?),
            sum(deep.evaluate(&digits.test)?)
        );
    }
    Ok(())
}
