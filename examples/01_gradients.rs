//! 1. A tape runs ops as they are called, records them, and gives gradients.

use narrows::{Device, Tape, Tensor};

fn main() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let x = Tensor::new(&device, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?; // 2 rows of 3
    let w = Tensor::new(&device, &[0.5, -1.0, 0.25, -2.0, 0.0, 1.0], &[2, 3])?; // (out, in), as in PyTorch
    let b = Tensor::new(&device, &[0.1, -0.2], &[2])?;

    let mut tape = Tape::new(&device);
    let x = tape.input(&x)?;
    let w = tape.variable(&w)?; // a variable gets a gradient, an input does not
    let b = tape.variable(&b)?;
    let z = tape.dense(x, w, b)?; // x w^T + b
    let y = tape.relu(z)?;
    let loss = tape.sum(y)?;
    println!("y    {:?}\nloss {:?}", tape.read(y)?, tape.read(loss)?);

    tape.backward(loss)?;
    println!("dw   {:?}", tape.read(tape.grad(w)?)?);
    println!("db   {:?}", tape.read(tape.grad(b)?)?);

    // What does not fit is an error with the numbers in it, on every device the same.
    println!("and  {}", tape.dense(y, w, b).unwrap_err());
    Ok(())
}
