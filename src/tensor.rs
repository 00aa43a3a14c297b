//! Tensors: data on a device, with no history.

use crate::device::View;
use crate::{Device, Dtype, Error, Result, Shape};

/// Data on a device: a counted handle, so a clone is the same data. A value with a history is a [`Val`](crate::Val) on
/// a [`Tape`](crate::Tape).
#[derive(Clone, Debug)]
pub struct Tensor {
    pub(crate) view: View,
    /// For indices: every element is below this.
    pub(crate) below: Option<u32>,
}

impl Tensor {
    /// `data` as f32, row-major, under a shape of 1 to 4 dimensions.
    ///
    /// ```
    /// use narrows::{Device, Tensor};
    /// let x = Tensor::new(&Device::cpu()?, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
    /// assert_eq!(x.shape(), [2, 3]);
    /// assert_eq!(x.read()?[4], 5.0);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shape and `data` differ in their number of elements, or the device has no memory for them.
    pub fn new(device: &Device, data: &[f32], shape: &[usize]) -> Result<Tensor> {
        Tensor::upload(device, Dtype::F32, bytemuck::cast_slice(data), data.len(), shape)
    }

    /// Zeros.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn zeros(device: &Device, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor { view: device.alloc(Dtype::F32, Shape::new(shape)?)?, below: None })
    }

    /// Bytes, which can only be gathered; byte i becomes i / 255.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn bytes(device: &Device, data: &[u8], shape: &[usize]) -> Result<Tensor> {
        Tensor::upload(device, Dtype::U8, data, data.len(), shape)
    }

    /// Row numbers, each below `below`: the order in which [`Tape::gather`](crate::Tape::gather) takes rows.
    ///
    /// # Errors
    /// When an index is not below `below`, or the device has no memory for them.
    pub fn indices(device: &Device, data: &[u32], below: usize) -> Result<Tensor> {
        check_indices(data, below)?;
        let tensor = Tensor::upload(device, Dtype::U32, bytemuck::cast_slice(data), data.len(), &[data.len()])?;
        Ok(Tensor { below: Some(below as u32), ..tensor })
    }

    fn upload(device: &Device, dtype: Dtype, data: &[u8], len: usize, shape: &[usize]) -> Result<Tensor> {
        let shape = Shape::new(shape)?;
        if shape.len() != len {
            return Err(Error::op(
                "tensor",
                format!("{len} numbers for a shape of {} ({shape})", shape.len()),
                "Pass as many numbers as the shape has elements.",
            ));
        }
        let view = device.alloc(dtype, shape)?;
        device.backend().write(&view, data)?;
        Ok(Tensor { view, below: None })
    }

    /// The dimensions, outermost first.
    pub fn shape(&self) -> &[usize] {
        self.view.shape.dims()
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.view.dtype()
    }

    /// The device that holds the data.
    pub fn device(&self) -> &Device {
        self.view.device()
    }

    /// The same data under another shape.
    ///
    /// # Errors
    /// When the shape has another number of elements.
    pub fn reshape(&self, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor { view: reshaped(&self.view, shape)?, below: self.below })
    }

    /// `len` elements from `start` on, as a tensor of its own name on the same memory.
    pub(crate) fn part(&self, start: usize, len: usize) -> Result<Tensor> {
        let part = self.view.part(start, Shape::new(&[len])?);
        let view = part.ok_or_else(|| Error::argument("part", format!("{len} elements from {start} on"), "Stay inside the tensor."))?;
        Ok(Tensor { view, below: self.below })
    }

    /// The data, on the host. Waits until the device has finished its work.
    ///
    /// # Errors
    /// When the tensor does not hold f32, or the device fails.
    pub fn read(&self) -> Result<Vec<f32>> {
        read(&self.view)
    }

    /// Indices or counters, on the host.
    ///
    /// # Errors
    /// When the tensor does not hold u32, or the device fails.
    pub fn read_u32(&self) -> Result<Vec<u32>> {
        read(&self.view)
    }

    /// Replaces the data.
    ///
    /// # Errors
    /// When the tensor does not hold f32 or has another number of elements.
    pub fn write(&self, data: &[f32]) -> Result<()> {
        write(&self.view, data)
    }

    /// Replaces the bytes.
    ///
    /// # Errors
    /// When it holds another type, the number of elements is not the same, or the device fails.
    pub fn write_bytes(&self, data: &[u8]) -> Result<()> {
        write(&self.view, data)
    }

    /// Replaces indices or counters.
    ///
    /// # Errors
    /// When the tensor does not hold u32, has another number of elements, or an index is out of the range that the
    /// tensor was made with.
    pub fn write_u32(&self, data: &[u32]) -> Result<()> {
        if let Some(below) = self.below {
            check_indices(data, below as usize)?;
        }
        write(&self.view, data)
    }
}

fn check_indices(data: &[u32], below: usize) -> Result<()> {
    if below > u32::MAX as usize {
        return Err(Error::argument("indices", format!("{below} rows"), "Use at most 2^32 - 1 rows."));
    }
    match data.iter().position(|&i| i as usize >= below) {
        None => Ok(()),
        Some(at) => Err(Error::argument(
            "indices",
            format!("index {} at position {at} is not one of {below} rows", data[at]),
            "Count the rows from 0.",
        )),
    }
}

/// The same elements under another shape.
pub(crate) fn reshaped(view: &View, shape: &[usize]) -> Result<View> {
    let shape = Shape::new(shape)?;
    if shape.len() != view.len() {
        return Err(Error::op(
            "reshape",
            format!("{} has {} elements but {shape} has {}", view.shape, view.len(), shape.len()),
            "Keep the number of elements.",
        ));
    }
    Ok(View { shape, ..view.clone() })
}

/// A type that a buffer can hold.
pub(crate) trait Element: bytemuck::Pod {
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Element for u8 {
    const DTYPE: Dtype = Dtype::U8;
}

impl Element for u32 {
    const DTYPE: Dtype = Dtype::U32;
}

pub(crate) fn read<T: Element>(view: &View) -> Result<Vec<T>> {
    let mut data = vec![T::zeroed(); view.len()];
    read_to(view, &mut data)?;
    Ok(data)
}

/// Reads into as many elements as the view has.
pub(crate) fn read_to<T: Element>(view: &View, data: &mut [T]) -> Result<()> {
    holds::<T>("read", view)?;
    view.device().backend().read(view, bytemuck::cast_slice_mut(data))
}

pub(crate) fn write<T: Element>(view: &View, data: &[T]) -> Result<()> {
    holds::<T>("write", view)?;
    if data.len() != view.len() {
        return Err(Error::op(
            "write",
            format!("{} numbers into {} elements (the shape is {})", data.len(), view.len(), view.shape),
            "Pass as many numbers as there are elements.",
        ));
    }
    view.device().backend().write(view, bytemuck::cast_slice(data))
}

pub(crate) fn holds<T: Element>(verb: &'static str, view: &View) -> Result<()> {
    if view.dtype() == T::DTYPE {
        return Ok(());
    }
    Err(Error::op(verb, format!("the tensor holds {}, not {}", view.dtype(), T::DTYPE), "Use the method for that type."))
}
