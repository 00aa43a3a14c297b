//! The seam between the engine and its devices. Nothing outside this folder and `device.rs` knows that devices differ.

pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;

use crate::data::Values;
use crate::device::{DeviceInfo, DeviceList, View};
use crate::op::Op;
use crate::program::Counts;
use crate::{Error, Result};
use std::any::Any;
use std::sync::Arc;

/// A backend's own allocation, behind a type that the engine does not know.
pub(crate) type Storage = Box<dyn Any + Send + Sync>;

/// What a device can do. Every call is in order on the device's one queue; `read` waits for what was called before it.
pub(crate) trait Backend: Send + Sync {
    fn info(&self) -> &DeviceInfo;

    /// `bytes` zero bytes (0 is legal).
    fn alloc(&self, bytes: usize) -> Result<Storage>;

    /// A data set in the host's memory as memory of the device, which ops only read. `None` where the device has its own.
    fn share(&self, _: Arc<Values>) -> Option<Storage> {
        None
    }

    /// Copies to the device. `from` has exactly the view's bytes.
    fn write(&self, to: &View, from: &[u8]) -> Result<()>;

    /// Copies from the device. `to` has exactly the view's bytes.
    fn read(&self, from: &View, to: &mut [u8]) -> Result<()>;

    /// Runs a checked op.
    fn run(&self, op: &Op) -> Result<()>;

    /// Prepares a list of checked ops to be run many times.
    fn compile(&self, ops: &[Op]) -> Result<Box<dyn Executable>>;

    /// Rows of a batch that keep the device busy: more only take more memory, and on a CPU leave its caches.
    fn rows(&self) -> usize {
        2048
    }
}

/// A list of ops that is ready to run.
pub(crate) trait Executable {
    /// Runs the whole list `steps` times.
    fn run(&mut self, steps: usize) -> Result<()>;

    /// How the list is run: `list` is op by op, which is always right; `team` is by a standing team of threads.
    fn rung(&self) -> &'static str;

    /// What was done since the list was compiled.
    fn counts(&self) -> Counts;

    /// How a step is run, in lines, where there is more to tell than the list.
    fn plan(&self) -> String {
        String::new()
    }
}

pub(crate) fn list() -> DeviceList {
    let mut list = DeviceList::default();
    #[cfg(feature = "cuda")]
    cuda::list(&mut list);
    #[cfg(not(feature = "cuda"))]
    list.absent
        .push(crate::device::Absent { kind: crate::DeviceKind::Cuda, reason: "cuda: narrows was built without the feature `cuda`".into() });
    #[cfg(feature = "wgpu")]
    wgpu::list(&mut list);
    #[cfg(not(feature = "wgpu"))]
    list.absent
        .push(crate::device::Absent { kind: crate::DeviceKind::Wgpu, reason: "wgpu: narrows was built without the feature `wgpu`".into() });
    cpu::list(&mut list);
    list
}

#[cfg(feature = "cuda")]
pub(crate) fn open_cuda(index: usize) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(cuda::Cuda::open(index)?))
}

#[cfg(all(feature = "cuda", feature = "standin"))]
pub(crate) fn open_cuda_standin(library: &std::path::Path) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(cuda::standin::StandIn::open(library)?))
}

#[cfg(not(feature = "cuda"))]
pub(crate) fn open_cuda(index: usize) -> Result<Arc<dyn Backend>> {
    Err(without(&format!("cuda:{index}"), "cuda"))
}

#[cfg(all(not(feature = "cuda"), feature = "standin"))]
pub(crate) fn open_cuda_standin(_: &std::path::Path) -> Result<Arc<dyn Backend>> {
    Err(without("cuda stand-in", "cuda"))
}

#[cfg(feature = "wgpu")]
pub(crate) fn open_wgpu(index: usize) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(wgpu::Wgpu::open(index)?))
}

#[cfg(not(feature = "wgpu"))]
pub(crate) fn open_wgpu(index: usize) -> Result<Arc<dyn Backend>> {
    Err(without(&format!("wgpu:{index}"), "wgpu"))
}

#[allow(dead_code)]
fn without(device: &str, feature: &str) -> Error {
    Error::device(device, format!("narrows was built without the feature `{feature}`"), format!("Build with --features {feature}."))
}
