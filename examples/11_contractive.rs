//! 11. A contractive autoencoder: its codes move little where rows move.

use narrows::nn::CodeActivation;
use narrows::{Autoencoder, Device, Fit, data, tasks};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let (train, test) = (digits.train.head(2_000), digits.test.head(1_000));
    for weight in [0.0, 1e-3, 1e-2] {
        let build = Autoencoder::builder(784).layers([64]).code_activation(CodeActivation::Sigmoid);
        let ae = build.build(&Device::cpu()?)?;
        ae.fit(&train, &Fit::default().epochs(10).contractive(weight))?;
        let (error, norm) = (ae.evaluate(&test)?, tasks::jacobian_norm(&ae, &test)?);
        println!("weight {weight}: error {error:.4}, squared norm of the Jacobian {norm:.3}");
    }
    Ok(())
}
