//! The clock of a training run: a cursor into the order of the rows and a step counter, both on the device.

use crate::{Device, Dtype, Result, Shape, Tensor};

/// Two counters that live on the device, so that no number has to come from the host while steps run.
#[derive(Clone, Debug)]
pub struct Clock {
    pub(crate) tensor: Tensor,
}

impl Clock {
    /// A clock at cursor 0 and step 0.
    ///
    /// # Errors
    /// When the device has no memory.
    pub fn new(device: &Device) -> Result<Clock> {
        Ok(Clock { tensor: Tensor { view: device.alloc(Dtype::U32, Shape::new(&[2])?)?, below: None } })
    }

    /// The cursor: a position in the order, in rows.
    ///
    /// # Errors
    /// When the device fails.
    pub fn cursor(&self) -> Result<u32> {
        Ok(self.tensor.read_u32()?[0])
    }

    /// The steps so far.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&self) -> Result<u32> {
        Ok(self.tensor.read_u32()?[1])
    }

    /// Sets both.
    ///
    /// # Errors
    /// When the device fails.
    pub fn set(&self, cursor: u32, step: u32) -> Result<()> {
        self.tensor.write_u32(&[cursor, step])
    }
}
