//! For how long each unit of a code has been idle: what revival selects by.

use crate::{Device, Dtype, Result, Shape, Tensor};

/// A counter for each unit of a code, on the device: rows since the unit was last on. It is state that is not trained,
/// and that a checkpoint has to hold.
#[derive(Clone, Debug)]
pub struct Idle {
    pub(crate) tensor: Tensor,
}

impl Idle {
    /// Counters at 0.
    ///
    /// # Errors
    /// When the device has no memory.
    pub fn new(device: &Device, units: usize) -> Result<Idle> {
        Ok(Idle { tensor: Tensor { view: device.alloc(Dtype::U32, Shape::new(&[units])?)?, below: None } })
    }

    /// The counters, on the host.
    ///
    /// # Errors
    /// When the device fails.
    pub fn read(&self) -> Result<Vec<u32>> {
        self.tensor.read_u32()
    }

    /// Sets all counters, as they were read.
    ///
    /// # Errors
    /// When there are not as many as units, or the device fails.
    pub fn write(&self, rows: &[u32]) -> Result<()> {
        self.tensor.write_u32(rows)
    }
}
