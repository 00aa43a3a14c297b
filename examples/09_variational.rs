//! 9. A variational autoencoder: its codes follow a known distribution, so new rows can be drawn from it.

use narrows::tasks::{self, Latent};
use narrows::{Autoencoder, Device, Fit, Loss, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let (train, test) = (digits.train.head(2_000), digits.test.head(1_000));
    let ae = Autoencoder::builder(784).layers([128, 8]).variational().build(&Device::cpu()?)?;
    let history = ae.fit(&train, &Fit::default().epochs(10).loss(Loss::Bce).kl_warmup(3))?;
    let last = &history.epochs[9];
    println!("loss {:.2} per row: {:?}", last.train_loss, last.losses); // reconstruction and kl
    println!("{}", Latent::of(&ae, &test, Loss::Bce, 1.0, 0)?);

    let new = tasks::sample(&ae, 16, 0)?;
    let codes = ae.encode(&test.head(2))?;
    let path = tasks::between(&ae, &codes.values[..8], &codes.values[8..], 5)?;
    println!("{} new rows, {} on the way from one row to another", new.rows, path.rows);
    Ok(())
}
