//! Opening devices: which kinds there are, what they are called, and which of them is taken.

use super::cpu::{self, Cpu, Level};
#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
use crate::device::Absent;
use crate::device::{Backend, DeviceKind, DeviceList};
use crate::{Device, Error, Result};
use std::sync::Arc;

impl Device {
    /// Names the devices of this machine without opening them, and the kinds that are absent with the reason.
    pub fn list() -> DeviceList {
        list()
    }

    /// The CPU, with one thread per core that the operating system grants.
    ///
    /// # Errors
    /// When the threads cannot be started, or `NARROWS_CPU_LEVEL` names a level that this processor has not.
    pub fn cpu() -> Result<Device> {
        Device::cpu_with(cpu::cores(), Level::from_environment()?)
    }

    /// The CPU with a number of threads (1 to 1024) and an instruction-set level. Neither changes a single bit of any
    /// result.
    ///
    /// # Errors
    /// When the level is not available, or the threads cannot be started.
    pub fn cpu_with(threads: usize, level: Level) -> Result<Device> {
        Ok(Device::new(Arc::new(Cpu::new(threads, level)?), "asked for"))
    }

    /// The NVIDIA GPU with that number.
    ///
    /// # Errors
    /// When the driver or the GPU is absent, or the crate was built without the feature `cuda`.
    pub fn cuda(index: usize) -> Result<Device> {
        open_cuda(index).map(|b| Device::new(b, "asked for"))
    }

    /// The CUDA kernels, executed on the CPU by a stand-in library that was compiled from the same sources: for tests
    /// on machines without a GPU.
    /// See `tests/standin/` for how the library is built.
    ///
    /// # Errors
    /// When the library cannot be loaded, or the crate was built without the feature `cuda`.
    #[cfg(feature = "standin")]
    pub fn cuda_standin(library: &std::path::Path) -> Result<Device> {
        open_cuda_standin(library).map(|b| Device::new(b, "asked for"))
    }

    /// The wgpu adapter with that number, as [`Device::list`] counts them.
    ///
    /// # Errors
    /// When there is no such adapter, or the crate was built without the feature `wgpu`.
    pub fn wgpu(index: usize) -> Result<Device> {
        open_wgpu(index).map(|b| Device::new(b, "asked for"))
    }

    /// As [`Device::wgpu`], without waiting: the only way in a page, where `auto` and `open` find no adapter and the
    /// one that the browser offers has the number 0.
    ///
    /// # Errors
    /// As [`Device::wgpu`].
    pub async fn wgpu_async(index: usize) -> Result<Device> {
        open_wgpu_async(index).await.map(|b| Device::new(b, "asked for"))
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
                Ok(device) => return Ok(device.because(&reason(passed))),
                Err(e) => passed.push(e.to_string()),
            }
        }
        passed.extend(list.absent.into_iter().map(|a| a.reason));
        Ok(Device::cpu()?.because(&reason(passed)))
    }

    /// Opens a device by its name: `auto`, `cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`. `wgpu` alone takes the first
    /// hardware adapter, or else the first.
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
                Ok(Device::cpu_with(threads, Level::from_environment()?)?.because(device.why()))
            }
            _ => Ok(device),
        }
    }
}

/// Why the device was taken after which these were passed over.
fn reason(passed: Vec<String>) -> String {
    if passed.is_empty() { "the first choice".into() } else { passed.join("; ") }
}

fn unknown(name: &str) -> Error {
    Error::argument("device", format!("`{name}` is not the name of a device"), "Use auto, cpu, cuda, cuda:N, wgpu or wgpu:N.")
}

fn list() -> DeviceList {
    let mut list = DeviceList::default();
    #[cfg(feature = "cuda")]
    super::cuda::list(&mut list);
    #[cfg(not(feature = "cuda"))]
    list.absent.push(Absent { kind: DeviceKind::Cuda, reason: "cuda: narrows was built without the feature `cuda`".into() });
    #[cfg(feature = "wgpu")]
    super::wgpu::list(&mut list);
    #[cfg(not(feature = "wgpu"))]
    list.absent.push(Absent { kind: DeviceKind::Wgpu, reason: "wgpu: narrows was built without the feature `wgpu`".into() });
    super::cpu::list(&mut list);
    list
}

#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(super::cuda::Cuda::open(index)?))
}

#[cfg(all(feature = "cuda", feature = "standin"))]
fn open_cuda_standin(library: &std::path::Path) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(super::cuda::standin::StandIn::open(library)?))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(index: usize) -> Result<Arc<dyn Backend>> {
    Err(without(&format!("cuda:{index}"), "cuda"))
}

#[cfg(all(not(feature = "cuda"), feature = "standin"))]
fn open_cuda_standin(_: &std::path::Path) -> Result<Arc<dyn Backend>> {
    Err(without("cuda stand-in", "cuda"))
}

#[cfg(feature = "wgpu")]
fn open_wgpu(index: usize) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(super::wgpu::Wgpu::open(index)?))
}

#[cfg(feature = "wgpu")]
async fn open_wgpu_async(index: usize) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(super::wgpu::Wgpu::open_async(index).await?))
}

#[cfg(not(feature = "wgpu"))]
async fn open_wgpu_async(index: usize) -> Result<Arc<dyn Backend>> {
    open_wgpu(index)
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu(index: usize) -> Result<Arc<dyn Backend>> {
    Err(without(&format!("wgpu:{index}"), "wgpu"))
}

#[allow(dead_code)]
fn without(device: &str, feature: &str) -> Error {
    Error::device(device, format!("narrows was built without the feature `{feature}`"), format!("Build with --features {feature}."))
}
