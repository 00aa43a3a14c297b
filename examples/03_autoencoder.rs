//! 3. The autoencoder: train, measure, encode, reconstruct, save, load.

use narrows::{Autoencoder, Device, Fit, data, report};

fn main() -> narrows::Result<()> {
    let device = Device::auto()?;
    let digits = data::open("builtin")?; // or mnist, a folder, a .csv or .npy file
    let ae = Autoencoder::builder(784).hidden([128, 64]).code(32).build(&device)?;
    ae.fit_with(&digits.train, &Fit::default().epochs(3).test(&digits.test), |e| {
        println!("epoch {}: loss {:.5}, test {:.5}, {:.2} s", e.epoch, e.train_loss, e.test_loss.unwrap_or(f64::NAN), e.seconds);
    })?;
    println!("{}", ae.measure(&digits.test)?);

    let ten = digits.test.head(10);
    let codes = ae.encode(&ten)?;
    println!("the first code: {:.2?}", &codes.values[..codes.columns]);
    let folder = std::env::temp_dir();
    let picture = folder.join("narrows-reconstruction.png");
    report::comparison(&picture, &ten.rows_f32(0..10), &ae.decode(&codes)?.values, [1, 28, 28])?;

    let file = folder.join("narrows-digits.safetensors");
    ae.save(&file)?;
    assert_eq!(Autoencoder::load(&device, &file)?.encode(&ten)?, codes);
    println!("picture {}, model {}", picture.display(), file.display());
    Ok(())
}
