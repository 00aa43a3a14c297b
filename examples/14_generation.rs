//! 14. New rows from a plain autoencoder: drawn from a mixture of its codes, between given rows, and by arithmetic.

use narrows::nn::Mixture;
use narrows::{Autoencoder, Device, Fit, data, report, tasks};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let train = digits.train.head(4_000);
    let ae = Autoencoder::builder(784).hidden([128]).code(16).build(&Device::cpu()?)?;
    ae.fit(&train, &Fit::default().epochs(5))?;

    // The distribution of the codes, as ten normal ones: it goes into the model file.
    let ae = {
        let mixture = Mixture::fit(&ae.encode(&train)?, 10, 0)?;
        ae.with_mixture(mixture)?
    };
    let drawn = ae.decode(&tasks::mixture_codes(&ae, 64, 1)?)?;
    report::write("target/drawn.png".as_ref(), &report::grid(&drawn.values, [1, 28, 28], 8)?)?;

    // Three new rows near each of five.
    let few = digits.test.head(5);
    let near = ae.decode(&tasks::augment(&ae, &few, 3, 0)?)?;
    println!("{} new rows near {}", near.rows, few.len());

    // What tells one digit from another, put on a third.
    let codes = ae.encode(&few)?;
    let code = |row: usize| &codes.values[row * 16..][..16];
    println!("{:?}", tasks::analogy([code(0), code(1), code(2)])?);
    Ok(())
}
