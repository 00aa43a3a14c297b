//! 2. A tape compiles into a program: the same ops, replayed any number of times in one call, without the host.

use narrows::{Adam, AdamConfig, Autoencoder, Device, Tape, Tensor, data};
use std::time::Instant;

fn main() -> narrows::Result<()> {
    let device = Device::auto()?;
    println!("{}: {}", device.id(), device.why());
    let ae = Autoencoder::builder(784).hidden([128, 64]).code(32).build(&device)?;
    let adam = Adam::new(ae.params(), AdamConfig::default())?;
    let batch = Tensor::new(&device, &data::digits(0, 0..128).rows_f32(0..128), &[128, 784])?;

    let mut tape = Tape::plan(&device); // records and checks, runs nothing
    let x = tape.input(&batch)?;
    let y = ae.forward(&mut tape, x)?;
    let loss = tape.mse(y, x)?;
    tape.backward(loss)?;
    adam.step(&mut tape)?;
    let mut step = tape.compile()?;
    println!("{step:#}"); // a line per op, then how the device runs them

    for _ in 0..5 {
        let start = Instant::now();
        step.run(100)?;
        let loss = step.read(loss)?[0]; // reading waits for the device
        println!("100 steps more: loss {loss:.5}, {:.3} ms a step", start.elapsed().as_secs_f64() * 10.0);
    }
    Ok(())
}
