//! 4. Schedules, early stopping, checkpoints: an interrupted training resumes to the same bits as an unbroken one.

use narrows::{Autoencoder, Device, Fit, Schedule, data};
use std::ops::ControlFlow;

fn main() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let (train, validation) = data::digits(0, 0..3_000).split(0.1, 0)?;
    let fit =
        Fit::default().epochs(12).schedule(Schedule::Cosine { to: 1e-5 }).warmup(20).weight_decay(1e-2).validate(&validation).patience(3);
    let network = || Autoencoder::builder(784).hidden([64]).code(16).build(&device);

    let whole = network()?;
    let history = whole.fit(&train, &fit)?;
    println!("ended {:?} after {} epochs, the best is {:?}", history.ended, history.epochs.len(), history.best);

    let folder = std::env::temp_dir().join(format!("narrows-checkpoints-{}", std::process::id()));
    let fit = fit.checkpoints(&folder);
    let stop = |e: &narrows::train::Epoch| if e.epoch == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    network()?.fit_with(&train, &fit, stop)?;
    let resumed = network()?;
    resumed.fit(&train, &fit.resume(true))?;
    assert_eq!(resumed.encode(&validation)?, whole.encode(&validation)?);
    println!("stopped after epoch 5 and resumed: the same bits");
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}
