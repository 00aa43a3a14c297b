//! 12. What a code knows of labels that it never saw: a linear classifier on it, beside other features.

use narrows::tasks::{ProbeConfig, Readout, ReadoutConfig};
use narrows::{Autoencoder, Device, Fit, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let (train, test) = (digits.train.head(2_000), digits.test.head(1_000));
    let ae = Autoencoder::builder(784).hidden([128]).code(32).build(&Device::cpu()?)?;
    ae.fit(&train, &Fit::default().epochs(5))?;

    // Ten of each digit, three times drawn; the encoder trained with the classifier; and the labels spread over the
    // nearest of all training rows.
    let probe = ProbeConfig { steps: 500, ..ProbeConfig::default() };
    let config = ReadoutConfig { labelled: Some(100), draws: 3, fine_tune: true, spread: true, probe };
    println!("{}", Readout::of(&ae, &train, &test, config)?);
    Ok(())
}
