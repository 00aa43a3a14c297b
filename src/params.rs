//! Parameters: named views into one flat buffer, with their gradients in another.

use crate::device::View;
use crate::{Device, Dtype, Error, Result, Shape, tensor};
use std::collections::HashSet;
use std::sync::Arc;

/// The parameters of a model: one flat buffer of values, one of gradients, and names for the parts of both. A clone is the same parameters.
#[derive(Clone, Debug)]
pub struct Params {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: Vec<Entry>,
    values: View,
    grads: View,
}

#[derive(Debug)]
struct Entry {
    name: String,
    value: View,
    grad: View,
}

impl Params {
    /// Zeros under those names and shapes, laid out in this order.
    ///
    /// # Errors
    /// When a name comes twice, a shape is not one, or the device has no memory for them.
    pub fn new(device: &Device, layout: &[(String, Vec<usize>)]) -> Result<Params> {
        let shapes = layout.iter().map(|(_, dims)| Shape::new(dims)).collect::<Result<Vec<_>>>()?;
        let total = Shape::new(&[shapes.iter().map(Shape::len).sum()])?;
        let values = device.alloc(Dtype::F32, total)?;
        let grads = device.alloc(Dtype::F32, total)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(layout.len());
        let mut seen = HashSet::new();
        let mut start = 0;
        for ((name, _), shape) in layout.iter().zip(shapes) {
            if !seen.insert(name) {
                return Err(Error::argument("parameter", format!("`{name}` comes twice"), "Give every parameter its own name."));
            }
            let part = |whole: &View| View { offset: start, shape, ..whole.clone() };
            entries.push(Entry { name: name.clone(), value: part(&values), grad: part(&grads) });
            start += shape.len();
        }
        Ok(Params { inner: Arc::new(Inner { entries, values, grads }) })
    }

    /// The names, in the order of the layout.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.entries.iter().map(|e| e.name.as_str())
    }

    /// How many numbers all parameters have together.
    pub fn len(&self) -> usize {
        self.inner.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The device that holds them.
    pub fn device(&self) -> &Device {
        self.inner.values.device()
    }

    /// The dimensions of a parameter.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(self.entry(name)?.value.shape.dims())
    }

    /// The values of a parameter, on the host.
    ///
    /// # Errors
    /// When there is none of that name, or the device fails.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        tensor::read(&self.entry(name)?.value)
    }

    /// The gradient of a parameter, as the last `backward` left it, on the host.
    ///
    /// # Errors
    /// When there is none of that name, or the device fails.
    pub fn read_grad(&self, name: &str) -> Result<Vec<f32>> {
        tensor::read(&self.entry(name)?.grad)
    }

    /// Replaces the values of a parameter.
    ///
    /// # Errors
    /// When there is none of that name, or it has another number of elements.
    pub fn write(&self, name: &str, data: &[f32]) -> Result<()> {
        tensor::write(&self.entry(name)?.value, data)
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        Ok(&self.inner.entries[self.position(name)?])
    }

    /// Whether no value is infinite or NaN.
    pub(crate) fn are_finite(&self) -> Result<bool> {
        Ok(tensor::read::<f32>(&self.inner.values)?.iter().all(|v| v.is_finite()))
    }

    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.names().position(|n| n == name).ok_or_else(|| {
            let names: Vec<_> = self.names().collect();
            Error::argument("parameter", format!("there is no `{name}`"), format!("Use one of {}.", names.join(", ")))
        })
    }

    pub(crate) fn value(&self, at: usize) -> &View {
        &self.inner.entries[at].value
    }

    pub(crate) fn grad(&self, at: usize) -> &View {
        &self.inner.entries[at].grad
    }

    pub(crate) fn count(&self) -> usize {
        self.inner.entries.len()
    }

    pub(crate) fn values(&self) -> &View {
        &self.inner.values
    }

    pub(crate) fn grads(&self) -> &View {
        &self.inner.grads
    }

    pub(crate) fn same(&self, other: &Params) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}
