//! 8. A denoising autoencoder: it sees rows with noise and learns to give the clean ones.

use narrows::nn::Corruption;
use narrows::tasks::Denoising;
use narrows::{Autoencoder, Device, Fit, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let noise = Corruption::Gaussian(0.4); // in training each step draws it anew; in use there is none
    let ae = Autoencoder::builder(784).hidden([128, 64]).code(32).build(&Device::cpu()?)?;
    ae.fit(&digits.train.head(2_000), &Fit::default().epochs(10).noise(noise))?;
    println!("{}", Denoising::of(&ae, &digits.test.head(1_000), noise, 0)?);
    Ok(())
}
