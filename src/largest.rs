//! The largest numbers so far of some rows, on a device.

use crate::{Device, Dtype, Error, Result, Shape, Tensor, tensor};

/// The k largest numbers so far of each of some rows, in the order in which they came, and where they stood:
/// [`Tape::merge_topk`](crate::Tape::merge_topk) goes on with them.
///
/// A clone is the same data.
#[derive(Clone, Debug)]
pub struct Largest {
    pub(crate) values: Tensor,
    pub(crate) index: Tensor,
}

impl Largest {
    /// Room for `k` numbers of each row: at first all are negative infinity, of index 0. k is at least 1.
    ///
    /// # Errors
    /// When `k` is 0, or the device has no memory.
    pub fn new(device: &Device, rows: usize, k: usize) -> Result<Largest> {
        if k == 0 {
            return Err(Error::argument("k", "it is 0", "Use at least 1."));
        }
        let index = Tensor { view: device.alloc(Dtype::U32, Shape::new(&[rows, k])?)?, below: None };
        Ok(Largest { values: Tensor::new(device, &vec![f32::NEG_INFINITY; rows * k], &[rows, k])?, index })
    }

    /// The numbers and their indices, k of each row.
    ///
    /// # Errors
    /// When the device fails.
    pub fn read(&self) -> Result<(Vec<f32>, Vec<u32>)> {
        Ok((self.values.read()?, self.index.read_u32()?))
    }

    /// Replaces both.
    ///
    /// # Errors
    /// When there are not as many as there is room for, or the device fails.
    pub fn write(&self, values: &[f32], index: &[u32]) -> Result<()> {
        self.values.write(values)?;
        tensor::write(&self.index.view, index)
    }
}
