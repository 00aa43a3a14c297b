//! Parameters: named views into one flat buffer, with their gradients in another; and state, which is saved but not
//! trained.

use crate::device::View;
use crate::{Device, Dtype, Error, Result, Shape, Tensor, tensor};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Names and shapes, in the order in which they lie in memory.
pub type Layout = Vec<(String, Vec<usize>)>;

/// The parameters of a model: one flat buffer of values, one of gradients, and names for the parts of both. A clone is
/// the same parameters.
///
/// Parameters that are trained together are a group: a range of both buffers, with a name. State is what a model keeps
/// and saves but does not train, such as a running mean: it has a buffer of its own and no gradients.
///
/// ```
/// use narrows::{Device, Params};
/// let shape = |name: &str, dims: &[usize]| vec![(name.to_string(), dims.to_vec())];
/// let groups = [("model", shape("w", &[3, 2])), ("critic", shape("c", &[3]))];
/// let params = Params::in_groups(&Device::cpu()?, &groups, &shape("mean", &[2]))?;
/// assert_eq!((params.len(), params.group_len("critic")?), (9, 3));
/// params.state("mean")?.write(&[0.5, 0.25])?;
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Params {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: Vec<Entry>,
    groups: Vec<Group>,
    values: View,
    grads: View,
    state: Vec<(String, Tensor)>,
    /// All state, flat.
    all_state: View,
}

/// A group: a range of the parameters.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    /// The indices of its parameters.
    pub(crate) entries: Range<usize>,
    /// Where its numbers begin in a flat buffer, and how many there are.
    start: usize,
    shape: Shape,
}

impl Group {
    /// The group's part of a flat buffer over all parameters.
    pub(crate) fn part(&self, flat: &View) -> View {
        View { offset: flat.offset + self.start, shape: self.shape, ..flat.clone() }
    }
}

#[derive(Debug)]
struct Entry {
    name: String,
    value: View,
    grad: View,
}

impl Params {
    /// Zeros with these names and shapes, laid out in this order, as one group without a name.
    ///
    /// # Errors
    /// When a name occurs twice, a shape is invalid, or the device has no memory for them.
    pub fn new(device: &Device, layout: &[(String, Vec<usize>)]) -> Result<Params> {
        Params::in_groups(device, &[("", layout.to_vec())], &[])
    }

    /// Zeros in groups, one after the other, and state beside them.
    ///
    /// # Errors
    /// When a name occurs twice, a shape is invalid, or the device has no memory for them.
    pub fn in_groups(device: &Device, groups: &[(&str, Layout)], state: &[(String, Vec<usize>)]) -> Result<Params> {
        let names = groups.iter().flat_map(|(_, layout)| layout).chain(state).map(|(name, _)| name.as_str());
        once("parameter", names)?;
        once("group", groups.iter().map(|(name, _)| *name))?;
        let total = |layout: &mut dyn Iterator<Item = &(String, Vec<usize>)>| -> Result<Shape> {
            let shapes = layout.map(|(_, dims)| Shape::new(dims)).collect::<Result<Vec<_>>>()?;
            Shape::new(&[shapes.iter().map(Shape::len).sum()])
        };
        let all = total(&mut groups.iter().flat_map(|(_, layout)| layout))?;
        let (values, grads) = (device.alloc(Dtype::F32, all)?, device.alloc(Dtype::F32, all)?);
        let (mut entries, mut ranges, mut start) = (Vec::new(), Vec::new(), 0);
        for (name, layout) in groups {
            let first = (entries.len(), start);
            for (name, dims) in layout {
                let shape = Shape::new(dims)?;
                let part = |flat: &View| View { offset: start, shape, ..flat.clone() };
                entries.push(Entry { name: name.clone(), value: part(&values), grad: part(&grads) });
                start += shape.len();
            }
            ranges.push(Group {
                name: name.to_string(),
                entries: first.0..entries.len(),
                start: first.1,
                shape: Shape::new(&[start - first.1])?,
            });
        }
        let all_state = device.alloc(Dtype::F32, total(&mut state.iter())?)?;
        let mut kept = Vec::with_capacity(state.len());
        let mut offset = 0;
        for (name, dims) in state {
            let shape = Shape::new(dims)?;
            kept.push((name.clone(), Tensor { view: View { offset, shape, ..all_state.clone() }, below: None }));
            offset += shape.len();
        }
        Ok(Params { inner: Arc::new(Inner { entries, groups: ranges, values, grads, state: kept, all_state }) })
    }

    /// The names, in the order of the layout.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.entries.iter().map(|e| e.name.as_str())
    }

    /// How many numbers all parameters have together.
    pub fn len(&self) -> usize {
        self.inner.values.len()
    }

    /// The names of the groups, in the order of the layout.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.inner.groups.iter().map(|g| g.name.as_str())
    }

    /// How many numbers the parameters of a group have together.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn group_len(&self, group: &str) -> Result<usize> {
        Ok(self.group(group)?.shape.len())
    }

    /// Some of the state: what a model keeps but does not train. Reading and writing the tensor reads and writes the
    /// state.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn state(&self, name: &str) -> Result<Tensor> {
        let found = self.inner.state.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor.clone());
        found.ok_or_else(|| absent("state", name, &mut self.state_names()))
    }

    /// The names of the state, in the order of the layout.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.inner.state.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there are no parameters.
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

    /// All values and, after them, all state.
    pub(crate) fn snapshot(&self) -> Result<Vec<f32>> {
        let mut all = tensor::read(&self.inner.values)?;
        all.extend(tensor::read::<f32>(&self.inner.all_state)?);
        Ok(all)
    }

    /// Puts back what [`Params::snapshot`] gave.
    pub(crate) fn put_back(&self, all: &[f32]) -> Result<()> {
        let (values, state) = all.split_at(self.len().min(all.len()));
        tensor::write(&self.inner.values, values)?;
        tensor::write(&self.inner.all_state, state)
    }

    /// What holds a number that is infinite or NaN: `the weights`, or `the state`.
    pub(crate) fn not_finite(&self) -> Result<Option<&'static str>> {
        for (what, all) in [("the weights", &self.inner.values), ("the state", &self.inner.all_state)] {
            if tensor::read::<f32>(all)?.iter().any(|v| !v.is_finite()) {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    /// Whether a view is of parameters or of state, which change while a program runs.
    pub(crate) fn hold(&self, view: &View) -> bool {
        view.same_buffer(&self.inner.values) || view.same_buffer(&self.inner.all_state)
    }

    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.names().position(|n| n == name).ok_or_else(|| absent("parameter", name, &mut self.names()))
    }

    pub(crate) fn group(&self, name: &str) -> Result<&Group> {
        self.inner.groups.iter().find(|g| g.name == name).ok_or_else(|| absent("group", name, &mut self.groups()))
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

/// Rejects names of which one occurs twice.
fn once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::argument(what, format!("`{name}` occurs twice"), format!("Give every {what} its own name.")));
        }
    }
    Ok(())
}

fn absent(what: &str, name: &str, known: &mut dyn Iterator<Item = &str>) -> Error {
    let names: Vec<_> = known.collect();
    let remedy = if names.is_empty() { format!("There is no {what}.") } else { format!("Use one of {}.", names.join(", ")) };
    Error::argument(what, format!("there is no `{name}`"), remedy)
}
