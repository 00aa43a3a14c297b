//! 13. A map of the codes: each digit a point, near ones alike, and how true that is to the images.

use narrows::data::Rows;
use narrows::tasks::{Fidelity, Plane, Projection};
use narrows::{Autoencoder, Device, Fit, data, report};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let (train, test) = (digits.train.head(4_000), digits.test.head(1_000));
    let device = Device::cpu()?;
    let ae = Autoencoder::builder(784).hidden([128, 64]).code(16).build(&device)?;
    ae.fit(&train, &Fit::default().epochs(5))?;

    let codes = ae.encode(&test)?;
    let images = Rows::new(784, test.rows_f32(0..1_000));
    for by in [Projection::Pca, Projection::Tsne] {
        let plane = Plane::of(&device, &codes, by)?;
        println!("{by}: {}", Fidelity::of(&device, &images, &plane.points, test.labels())?);
        report::write("target/map.svg".as_ref(), report::map("Codes of synthetic digits", &plane, &test)?.as_bytes())?;
    }
    Ok(())
}
