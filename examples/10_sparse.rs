//! 10. A sparse autoencoder: a wide code of which each row uses a few units.

use narrows::nn::{CodeActivation, Sparsity};
use narrows::tasks::Activity;
use narrows::{Autoencoder, Device, Fit, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let build = Autoencoder::builder(784).layers([256]).code_activation(CodeActivation::Relu);
    let ae = build.build(&Device::cpu()?)?;
    ae.fit(&digits.train.head(2_000), &Fit::default().epochs(10).sparse(Sparsity::L1(3e-4)))?;
    println!("{}", Activity::of(&ae, &digits.test.head(1_000))?);
    Ok(())
}
