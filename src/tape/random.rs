//! Values that depend on no other value: random numbers and constants; and masks.

use super::{Tape, Val};
use crate::clock::Clock;
use crate::op::{Op, Stream};
use crate::{Error, Result, Shape};

impl Tape {
    /// Numbers uniform from lo to hi (hi itself occurs only by rounding), a function of (seed, purpose, the clock's
    /// step, position).
    ///
    /// # Errors
    /// When lo and hi are not finite, or hi is below lo.
    pub fn uniform(&mut self, shape: &[usize], (lo, hi): (f32, f32), seed: u64, purpose: u32, clock: &Clock) -> Result<Val> {
        if !(lo.is_finite() && hi.is_finite() && (hi - lo).is_finite() && lo <= hi) {
            return Err(Error::op("uniform", format!("the range is [{lo}, {hi})"), "Use finite bounds, the lower first."));
        }
        let y = self.new_view(Shape::new(shape)?)?;
        self.value(
            y.clone(),
            Op::Uniform { clock: clock.tensor.view.clone(), y, lo, range: hi - lo, stream: Stream { seed, purpose } },
            &[],
        )
    }

    /// Numbers from the normal distribution with this mean and standard deviation, a function of (seed, purpose, the
    /// clock's step, position): Box and Muller's method (1958) on 48 random bits for two numbers. None is further than
    /// 5.77 standard deviations from the mean.
    ///
    /// ```
    /// use narrows::{Clock, Device, Tape};
    /// let device = Device::cpu()?;
    /// let clock = Clock::new(&device)?;
    /// let mut tape = Tape::new(&device);
    /// let noise = tape.normal(&[100, 100], 1.0, 0.5, 7, 0, &clock)?;
    /// let mean = tape.read(noise)?.iter().sum::<f32>() / 1e4;
    /// assert!((mean - 1.0).abs() < 0.02);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the mean is not finite, or the standard deviation is not a finite number of at least 0.
    pub fn normal(&mut self, shape: &[usize], mean: f32, std: f32, seed: u64, purpose: u32, clock: &Clock) -> Result<Val> {
        if !(mean.is_finite() && std.is_finite() && std >= 0.0) {
            let problem = format!("the mean is {mean}, the standard deviation {std}");
            return Err(Error::op("normal", problem, "Use finite numbers, the second at least 0."));
        }
        let y = self.new_view(Shape::new(shape)?)?;
        let op = Op::Normal { clock: clock.tensor.view.clone(), y: y.clone(), mean, std, stream: Stream { seed, purpose } };
        self.value(y, op, &[])
    }

    /// A value that is `value` everywhere.
    ///
    /// # Errors
    /// When the shape is invalid.
    pub fn fill(&mut self, shape: &[usize], value: f32) -> Result<Val> {
        let y = self.new_view(Shape::new(shape)?)?;
        self.value(y.clone(), Op::Fill { y, value }, &[])
    }

    /// Elements of `x`, each dropped (set to 0) with probability `drop`, a function of (seed, purpose, the clock's
    /// step, position). With `rescale` those that are kept are multiplied by `1 / (1 - drop)`: dropout (Srivastava et
    /// al. 2014) as PyTorch has it; without, masking noise (Vincent et al. 2008). The gradient draws the same mask
    /// again.
    ///
    /// # Errors
    /// When `drop` is not in [0, 1).
    pub fn mask(&mut self, x: Val, drop: f64, rescale: bool, seed: u64, purpose: u32, clock: &Clock) -> Result<Val> {
        if !(0.0..1.0).contains(&drop) {
            return Err(Error::op("mask", format!("the share to drop is {drop}"), "Use at least 0 and less than 1."));
        }
        let keep = ((1.0 - drop) * f64::from(1 << 24)).round() as u32;
        if keep == 0 {
            return Err(Error::op("mask", format!("a share of {drop} leaves none of 2^24"), "Use a smaller share."));
        }
        let factor = if rescale { (1.0 / (1.0 - drop)) as f32 } else { 1.0 };
        let clock = clock.tensor.view.clone();
        self.unary(x, |x, y| Op::Mask { x, clock, y, keep, factor, stream: Stream { seed, purpose } })
    }
}
