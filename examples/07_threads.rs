//! 7. A trained network is shared between threads; each encodes its rows, to the same bits as with one thread.

use narrows::{Autoencoder, Device, Fit, data};

fn main() -> narrows::Result<()> {
    let digits = data::open("builtin")?;
    let ae = Autoencoder::builder(784).hidden([64]).code(8).build(&Device::auto()?)?;
    ae.fit(&digits.train, &Fit::default().epochs(1))?;
    let all = ae.encode(&digits.test)?;

    let parts = std::thread::scope(|scope| {
        let part = |i: u32| {
            let (ae, digits) = (&ae, data::digits(0, 20_000 + 1_000 * i..21_000 + 1_000 * i)); // the test rows, a thousand at a time
            scope.spawn(move || ae.encode(&digits))
        };
        let running: Vec<_> = (0..4).map(part).collect();
        running.into_iter().map(|t| t.join().expect("the thread ran")).collect::<narrows::Result<Vec<_>>>()
    })?;
    let joined: Vec<f32> = parts.into_iter().flat_map(|part| part.values).collect();
    assert_eq!(joined, all.values);
    println!("4 threads, {} codes of {} numbers: the same bits as one thread", all.rows, all.columns);
    Ok(())
}
