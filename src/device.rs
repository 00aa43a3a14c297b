//! Devices, the buffers on them, and views into buffers.

use crate::backend::{self, Backend, Storage};
use crate::data::Values;
use crate::{Dtype, Error, Result, Shape};
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

/// A device that computes: a counted handle, cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Device {
    backend: Arc<dyn Backend>,
    why: Arc<str>,
}

impl Device {
    /// Names the devices of this machine without opening them, and the kinds that are absent with the reason.
    pub fn list() -> DeviceList {
        backend::list()
    }

    /// The CPU, with one thread per core that the operating system grants.
    ///
    /// # Errors
    /// When the threads cannot be started, or `NARROWS_CPU_LEVEL` names a level that this processor has not.
    pub fn cpu() -> Result<Device> {
        Device::cpu_with(backend::cpu::cores(), backend::cpu::Level::from_environment()?)
    }

    /// The CPU with a number of threads (1 to 1024) and an instruction-set level. Neither changes a single bit of any result.
    ///
    /// # Errors
    /// When the level is not available, or the threads cannot be started.
    pub fn cpu_with(threads: usize, level: backend::cpu::Level) -> Result<Device> {
        Ok(Device::new(Arc::new(backend::cpu::Cpu::new(threads, level)?), "asked for"))
    }

    /// The NVIDIA GPU with that number.
    ///
    /// # Errors
    /// When the driver or the GPU is absent, or the crate was built without the feature `cuda`.
    pub fn cuda(index: usize) -> Result<Device> {
        backend::open_cuda(index).map(|b| Device::new(b, "asked for"))
    }

    /// The CUDA kernels, executed on the CPU by a stand-in library that was compiled from the same sources: for tests on machines without a GPU.
    /// See `tests/standin/` for how the library is built.
    ///
    /// # Errors
    /// When the library cannot be loaded, or the crate was built without the feature `cuda`.
    #[cfg(feature = "standin")]
    pub fn cuda_standin(library: &std::path::Path) -> Result<Device> {
        backend::open_cuda_standin(library).map(|b| Device::new(b, "asked for"))
    }

    /// The wgpu adapter with that number, as [`Device::list`] counts them.
    ///
    /// # Errors
    /// When there is no such adapter, or the crate was built without the feature `wgpu`.
    pub fn wgpu(index: usize) -> Result<Device> {
        backend::open_wgpu(index).map(|b| Device::new(b, "asked for"))
    }

    /// The first of: an NVIDIA GPU, a hardware wgpu adapter, the CPU. [`Device::why`] tells what was passed over.
    ///
    /// # Errors
    /// When not even the CPU can be opened.
    pub fn auto() -> Result<Device> {
        let mut passed = Vec::new();
        let list = Device::list();
        for info in list.found.iter().filter(|i| i.kind != DeviceKind::Cpu) {
            if info.software {
                passed.push(format!("{} ({}) is a software rasteriser", info.id, info.name));
                continue;
            }
            match Device::open(&info.id) {
                Ok(device) => return Ok(device.because(passed)),
                Err(e) => passed.push(e.to_string()),
            }
        }
        passed.extend(list.absent.into_iter().map(|a| a.reason));
        Ok(Device::cpu()?.because(passed))
    }

    /// Opens a device by its name: `auto`, `cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`. `wgpu` alone takes the first hardware adapter, or else the first.
    ///
    /// # Errors
    /// When the name is none of these, or the device is absent; the text lists what is there.
    pub fn open(name: &str) -> Result<Device> {
        let (kind, index) = match name.split_once(':') {
            Some((kind, index)) => match index.parse::<usize>() {
                Ok(index) => (kind, Some(index)),
                Err(_) => return Err(unknown(name)),
            },
            None => (name, None),
        };
        let opened = match (kind, index) {
            ("auto", None) => return Device::auto(),
            ("cpu", None) => return Device::cpu(),
            ("cuda", _) => Device::cuda(index.unwrap_or(0)),
            ("wgpu", Some(index)) => Device::wgpu(index),
            ("wgpu", None) => {
                let found = Device::list().found;
                let adapters = found.iter().filter(|i| i.kind == DeviceKind::Wgpu);
                let best = adapters.enumerate().min_by_key(|(n, i)| (i.software, *n)).map_or(0, |(n, _)| n);
                Device::wgpu(best)
            }
            _ => return Err(unknown(name)),
        };
        opened.map_err(|e| match e {
            Error::Device { device, problem, remedy } => {
                let there: Vec<_> = Device::list().found.into_iter().map(|i| i.id).collect();
                Error::Device { device, problem, remedy: format!("{remedy} Here are: {}", there.join(", ")) }
            }
            other => other,
        })
    }

    /// As [`Device::open`], with a number of threads (1 to 1024) if it turns out to be the CPU.
    ///
    /// # Errors
    /// As [`Device::open`] and [`Device::cpu_with`].
    pub fn open_with(name: &str, threads: Option<usize>) -> Result<Device> {
        let device = Device::open(name)?;
        match threads {
            Some(threads) if device.info().kind == DeviceKind::Cpu => {
                Ok(Device { why: device.why, ..Device::cpu_with(threads, backend::cpu::Level::from_environment()?)? })
            }
            _ => Ok(device),
        }
    }

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

    fn because(mut self, passed: Vec<String>) -> Device {
        self.why = if passed.is_empty() { "the first choice".into() } else { passed.join("; ").into() };
        self
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(crate) fn same(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend)
    }

    /// A new buffer of zeros, seen whole.
    pub(crate) fn alloc(&self, dtype: Dtype, shape: Shape) -> Result<View> {
        let len = shape.len();
        let storage = self.backend.alloc(len * dtype.size())?;
        Ok(View { buffer: Arc::new(Buffer { device: self.clone(), dtype, len, storage }), offset: 0, shape })
    }

    /// A data set in the host's memory, seen whole, as a buffer that is only read. `None` where the device has its own memory.
    pub(crate) fn share(&self, values: Arc<Values>, shape: Shape) -> Option<View> {
        let (dtype, len) = (values.dtype(), values.len());
        assert_eq!(len, shape.len(), "the shape is not that of the values");
        let storage = self.backend.share(values)?;
        Some(View { buffer: Arc::new(Buffer { device: self.clone(), dtype, len, storage }), offset: 0, shape })
    }
}

fn unknown(name: &str) -> Error {
    Error::argument("device", format!("`{name}` is not the name of a device"), "Use auto, cpu, cuda, cuda:N, wgpu or wgpu:N.")
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
