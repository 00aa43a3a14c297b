//! 12. What a code knows of labels that it never saw: a linear classifier on it, beside other features.

use narrows::tasks::{Readout, ReadoutConfig};
use narrows::{Autoencoder, Device, Fit, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let (train, test) = (digits.train.head(2_000), digits.test.head(1_000));
    let ae = Autoencoder::builder(784).hidden([128]).code(32).build(&Device::cpu()?)?;
    ae.fit(&train, &Fit::default().epochs(5))?;

    let mut config = ReadoutConfig::default();
    config.labelled = Some(100); // ten of each digit, three times drawn
    config.draws = 3;
    config.fine_tune = true; // and the encoder trained with the classifier
    config.probe.steps = 500;
    println!("{}", Readout::of(&ae, &train, &test, config)?);
    Ok(())
}
