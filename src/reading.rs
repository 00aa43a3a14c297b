//! Reading without waiting.

use crate::device::{Arriving, View};
use crate::tensor::holds;
use crate::{Result, Tensor};
use std::fmt;

/// Numbers on their way from a device to the host.
///
/// [`Tensor::read`] waits until the device has done all its work. A page in a browser can't wait, and a program may
/// have something better to do: it starts to read, asks now and then, and takes the numbers when they are there.
///
/// In WGSL nothing waits. The CPU and CUDA have done the copy when `start_read` returns, and so wait there.
///
/// ```
/// use narrows::{Device, Tensor};
/// let x = Tensor::new(&Device::cpu()?, &[1.0, 2.0, 3.0], &[3])?;
/// let mut reading = x.start_read()?;
/// // What is written now comes too late.
/// x.write(&[0.0; 3])?;
/// while !reading.ready()? {
///     std::thread::yield_now();
/// }
/// assert_eq!(reading.take()?, [1.0, 2.0, 3.0]);
/// # Ok::<(), narrows::Error>(())
/// ```
pub struct Reading {
    view: View,
    arriving: Box<dyn Arriving>,
}

impl Reading {
    pub(crate) fn start(view: &View) -> Result<Reading> {
        holds::<f32>("start_read", view)?;
        Ok(Reading { view: view.clone(), arriving: view.device().backend().start_read(view)? })
    }

    /// Whether the numbers are there. It never waits.
    ///
    /// # Errors
    /// When the device failed.
    pub fn ready(&mut self) -> Result<bool> {
        self.arriving.ready()
    }

    /// The numbers. Waits for them if they are not there.
    ///
    /// # Errors
    /// When the device failed; or in a page, which can't wait, when they are not there.
    pub fn take(self) -> Result<Vec<f32>> {
        let mut data = vec![0.0; self.view.len()];
        self.arriving.take(bytemuck::cast_slice_mut(&mut data))?;
        Ok(data)
    }
}

impl Tensor {
    /// Begins to copy the data to the host: as they are now, after everything that was called before.
    ///
    /// # Errors
    /// When the tensor does not hold f32, or the device fails.
    pub fn start_read(&self) -> Result<Reading> {
        Reading::start(&self.view)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Reading({:?})", self.view)
    }
}
