//! Devices, the buffers on them, views into buffers, and what a device can do: the bottom of the house, which knows
//! nothing above it but the instruction set. `backend/open.rs` opens them.

use crate::op::Op;
use crate::{Dtype, Error, Result, Shape};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Which of the three implementations a device runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// rayon and SIMD on the host.
    Cpu,
    /// PTX through the NVIDIA driver.
    Cuda,
    /// WGSL through Vulkan, Metal or DirectX 12.
    Wgpu,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Cuda => "cuda",
            DeviceKind::Wgpu => "wgpu",
        })
    }
}

/// What is known of a device before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The name that [`Device::open`] takes: `cpu`, `cuda:0`, `wgpu:1`.
    pub id: String,
    /// Which implementation it runs.
    pub kind: DeviceKind,
    /// What the driver or the operating system calls it, with what the engine chose for it.
    pub name: String,
    /// Whether a GPU interface is imitated by the CPU. `auto` never takes such a device.
    pub software: bool,
    /// How it can run programs, the fastest first: see [`Program::rung`](crate::Program::rung).
    pub rungs: &'static [&'static str],
}

/// A kind of device that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The kind.
    pub kind: DeviceKind,
    /// Why, in one sentence.
    pub reason: String,
}

/// What [`Device::list`] found.
#[derive(Clone, Debug, Default)]
pub struct DeviceList {
    /// The devices that can be opened.
    pub found: Vec<DeviceInfo>,
    /// The kinds of which there is none.
    pub absent: Vec<Absent>,
}

/// A backend's own allocation, behind a type that the engine does not know.
pub(crate) type Storage = Box<dyn Any + Send + Sync>;

/// Memory of the host that a device may read where it lies: the same bytes at the same place for as long as it lives.
pub(crate) trait HostMemory: Send + Sync {
    fn bytes(&self) -> &[u8];
}

/// What a device can do. Every call is in order on the device's one queue; `read` waits for what was called before it.
pub(crate) trait Backend: Send + Sync {
    fn info(&self) -> &DeviceInfo;

    /// `bytes` zero bytes (0 is legal).
    fn alloc(&self, bytes: usize) -> Result<Storage>;

    /// Memory of the host as memory of the device, which ops only read. `None` where the device has its own.
    fn share(&self, _: Arc<dyn HostMemory>) -> Option<Storage> {
        None
    }

    /// Copies to the device. `from` has exactly the view's bytes.
    fn write(&self, to: &View, from: &[u8]) -> Result<()>;

    /// Copies from the device. `to` has exactly the view's bytes.
    fn read(&self, from: &View, to: &mut [u8]) -> Result<()>;

    /// Begins to copy from the device: what was called before is in it, what is called later is not.
    fn start_read(&self, from: &View) -> Result<Box<dyn Arriving>> {
        let mut bytes = vec![0; from.len() * from.dtype().size()];
        self.read(from, &mut bytes)?;
        Ok(Box::new(Arrived(bytes)))
    }

    /// Runs a checked op.
    fn run(&self, op: &Op) -> Result<()>;

    /// Prepares a list of checked ops to be run many times: at one of its rungs, or at the fastest that can be had.
    fn compile(&self, ops: &[Op], rung: Option<&'static str>) -> Result<Box<dyn Executable>>;

    /// Rows of a batch that keep the device busy: more only take more memory, and on a CPU leave its caches.
    fn rows(&self) -> usize {
        2048
    }
}

/// Bytes on their way to the host.
pub(crate) trait Arriving {
    /// Whether they are there. It never waits.
    fn ready(&mut self) -> Result<bool>;

    /// Copies them to `to`, which is as long as the view. Waits if they are not there yet.
    fn take(self: Box<Self>, to: &mut [u8]) -> Result<()>;
}

/// Bytes that are there.
struct Arrived(Vec<u8>);

impl Arriving for Arrived {
    fn ready(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn take(self: Box<Self>, to: &mut [u8]) -> Result<()> {
        to.copy_from_slice(&self.0);
        Ok(())
    }
}

/// A list of ops that is ready to run.
pub(crate) trait Executable {
    /// Runs the whole list `steps` times.
    fn run(&mut self, steps: usize) -> Result<()>;

    /// How the list is run: one of the backend's rungs, or [`LIST`].
    fn rung(&self) -> &'static str;

    /// What was done since the list was compiled.
    fn counts(&self) -> Counts;

    /// How a step is run, in lines, where there is more to tell than the list.
    fn plan(&self) -> String {
        String::new()
    }
}

/// The rung of every device: op by op, as they were called. It is always right.
pub(crate) const LIST: &str = "list";

/// A list that is run op by op.
struct List {
    device: Device,
    ops: Vec<Op>,
    counts: Counts,
}

impl Executable for List {
    fn run(&mut self, steps: usize) -> Result<()> {
        (0..steps).flat_map(|_| &self.ops).try_for_each(|op| self.device.backend.run(op))?;
        self.counts.add(steps, self.ops.len(), steps.saturating_mul(self.ops.len()));
        Ok(())
    }

    fn rung(&self) -> &'static str {
        LIST
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

/// What a compiled program did since it was compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `run`.
    pub runs: u64,
    /// Times the list was run.
    pub steps: u64,
    /// Kernels launched or dispatched; on the CPU, ops executed.
    pub launches: u64,
    /// Submissions to a GPU queue; on the CPU, entries into the thread pool.
    pub submits: u64,
    /// Buffers that runs mapped for reading: none.
    pub maps: u64,
    /// Writes from the host in the course of runs: none.
    pub writes: u64,
    /// Times that all threads of the CPU's team waited for one another.
    pub barriers: u64,
}

impl Counts {
    /// Counts one run of `steps` steps of `launches` launches each, given to the device in `submits` calls.
    pub(crate) fn add(&mut self, steps: usize, launches: usize, submits: usize) {
        let product = (steps as u64).saturating_mul(launches as u64);
        self.runs = self.runs.saturating_add(1);
        self.steps = self.steps.saturating_add(steps as u64);
        self.launches = self.launches.saturating_add(product);
        self.submits = self.submits.saturating_add(submits as u64);
    }
}

/// A device that computes: a counted handle, cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Device {
    backend: Arc<dyn Backend>,
    why: Arc<str>,
}

impl Device {
    /// The name that [`Device::open`] takes.
    pub fn id(&self) -> &str {
        &self.info().id
    }

    /// What the device is.
    pub fn info(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// Why this device was taken: `asked for`, or what [`Device::auto`] passed over.
    pub fn why(&self) -> &str {
        &self.why
    }

    pub(crate) fn new(backend: Arc<dyn Backend>, why: &str) -> Device {
        Device { backend, why: why.into() }
    }

    /// The same device, taken for another reason.
    pub(crate) fn because(self, why: &str) -> Device {
        Device { why: why.into(), ..self }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(crate) fn same(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend)
    }

    /// A list of checked ops that is ready to run: as NARROWS_RUNG says, or at the fastest rung that can be had.
    pub(crate) fn compile(&self, ops: &[Op]) -> Result<Box<dyn Executable>> {
        match std::env::var("NARROWS_RUNG") {
            Ok(rung) => self.compile_at(ops, &rung),
            Err(_) => self.backend.compile(ops, None),
        }
    }

    /// The same at the rung of that name, and at no other.
    pub(crate) fn compile_at(&self, ops: &[Op], rung: &str) -> Result<Box<dyn Executable>> {
        let rungs = self.info().rungs;
        match rungs.iter().copied().find(|known| *known == rung) {
            Some(LIST) => Ok(Box::new(List { device: self.clone(), ops: ops.to_vec(), counts: Counts::default() })),
            Some(rung) => self.backend.compile(ops, Some(rung)),
            None => {
                let problem = format!("{} has no rung `{rung}`", self.id());
                Err(Error::argument("NARROWS_RUNG", problem, format!("Use one of {}.", rungs.join(", "))))
            }
        }
    }

    /// A new buffer of zeros, seen whole.
    pub(crate) fn alloc(&self, dtype: Dtype, shape: Shape) -> Result<View> {
        let len = shape.len();
        let storage = self.backend.alloc(len * dtype.size())?;
        Ok(View { buffer: Arc::new(Buffer { device: self.clone(), dtype, len, storage }), offset: 0, shape })
    }

    /// Memory of the host, seen whole, as a buffer that is only read. `None` where the device has its own memory.
    pub(crate) fn share(&self, memory: Arc<dyn HostMemory>, dtype: Dtype, shape: Shape) -> Option<View> {
        let len = shape.len();
        assert_eq!(memory.bytes().len(), len * dtype.size(), "the shape is not that of the memory");
        let storage = self.backend.share(memory)?;
        Some(View { buffer: Arc::new(Buffer { device: self.clone(), dtype, len, storage }), offset: 0, shape })
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Device({})", self.id())
    }
}

/// An allocation on a device. It is freed with the last view of it.
pub(crate) struct Buffer {
    pub(crate) device: Device,
    pub(crate) dtype: Dtype,
    /// In elements.
    pub(crate) len: usize,
    pub(crate) storage: Storage,
}

/// A contiguous, row-major window of a buffer.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) buffer: Arc<Buffer>,
    /// The first element, counted in elements of the buffer.
    pub(crate) offset: usize,
    pub(crate) shape: Shape,
}

impl View {
    pub(crate) fn len(&self) -> usize {
        self.shape.len()
    }

    pub(crate) fn dtype(&self) -> Dtype {
        self.buffer.dtype
    }

    pub(crate) fn device(&self) -> &Device {
        &self.buffer.device
    }

    /// The elements from `start` on, relative to this view, under another shape. `None` when they reach past the end.
    pub(crate) fn part(&self, start: usize, shape: Shape) -> Option<View> {
        let end = start.checked_add(shape.len())?;
        (end <= self.len()).then(|| View { buffer: self.buffer.clone(), offset: self.offset + start, shape })
    }

    pub(crate) fn same_buffer(&self, other: &View) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }

    /// Whether both are the very same elements.
    pub(crate) fn identical(&self, other: &View) -> bool {
        self.same_buffer(other) && self.offset == other.offset && self.len() == other.len()
    }

    /// Whether they share an element.
    pub(crate) fn overlaps(&self, other: &View) -> bool {
        let inside = self.offset < other.offset + other.len() && other.offset < self.offset + self.len();
        self.same_buffer(other) && inside && self.len() > 0 && other.len() > 0
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.dtype(), self.shape, self.offset)
    }
}
