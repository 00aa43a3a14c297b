//! WGSL through Vulkan, Metal or DirectX 12; in a page through WebGPU.
//!
//! `plan` turns an op, or a group of ops, into launches as plain data, `bind` says what each of them binds, `shader`
//! holds the texts and their variants, `product`, `chain` and `end` make those that depend on a group by a `writer`,
//! `opened` is the open device with its caches, `transfer` moves bytes to and from it, `program` replays a list of ops
//! in groups. Nothing here panics on what a device does: errors are caught in scopes, or by a handler, and become
//! [`Error`].
//! What wgpu answers later is asked for in `async` functions and by callbacks; [`now`] and `Opened::wait` wait for it,
//! which a page can't.

mod bind;
mod chain;
mod end;
mod opened;
mod plan;
mod product;
mod program;
mod shader;
#[cfg(test)]
mod tests;
mod transfer;
mod writer;

use crate::device::{Absent, Arriving, Backend, DeviceInfo, DeviceKind, DeviceList, Executable, LIST, Storage, View};
use crate::op::Op;
use crate::{Error, Result};
use opened::Opened;
use std::sync::{Arc, LazyLock};
use transfer::Arrival;

/// One for the process: it is where drivers are loaded.
static INSTANCE: LazyLock<wgpu::Instance> = LazyLock::new(|| {
    let mut wanted = wgpu::InstanceDescriptor::new_without_display_handle();
    wanted.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12 | wgpu::Backends::BROWSER_WEBGPU;
    wanted.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(wanted)
});

/// A device behind wgpu.
pub(crate) struct Wgpu {
    info: DeviceInfo,
    opened: Arc<Opened>,
}

/// Whether the host can wait for its devices. A page can't: it is called back between its own calls.
const WAITS: bool = !cfg!(target_arch = "wasm32");

/// What a future gives, where the host can wait for it.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    WAITS.then(|| pollster::block_on(future))
}

async fn adapters() -> Vec<wgpu::Adapter> {
    if wgpu::Instance::enabled_backend_features().is_empty() {
        return vec![];
    }
    INSTANCE.enumerate_adapters(wgpu::Backends::all()).await
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    let driver = [info.driver.as_str(), info.driver_info.as_str()].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ");
    let name =
        if driver.is_empty() { format!("{}, {}", info.name, info.backend) } else { format!("{}, {}, {driver}", info.name, info.backend) };
    let software = info.device_type == wgpu::DeviceType::Cpu;
    DeviceInfo { id: format!("wgpu:{index}"), kind: DeviceKind::Wgpu, name, software, rungs: &["groups", LIST] }
}

/// Adds the adapters of this machine, without opening them.
pub(crate) fn list(list: &mut DeviceList) {
    let found = now(adapters()).unwrap_or_default();
    if found.is_empty() {
        let reason = if WAITS { NONE } else { UNKNOWN };
        list.absent.push(Absent { kind: DeviceKind::Wgpu, reason: format!("wgpu: {reason}") });
    }
    list.found.extend(found.iter().enumerate().map(|(i, a)| describe(i, a)));
}

const NONE: &str = if WAITS { "no Vulkan, Metal or DirectX 12 adapter was found" } else { "the browser offers no WebGPU adapter" };
const UNKNOWN: &str = "a page can't wait for its adapter";

impl Wgpu {
    /// # Errors
    /// When there is no such adapter, or it refuses to open.
    pub(crate) fn open(index: usize) -> Result<Wgpu> {
        let opened = now(Wgpu::open_async(index));
        opened.unwrap_or_else(|| Err(Error::device(format!("wgpu:{index}"), UNKNOWN, "Open it by Device::wgpu_async.")))
    }

    /// # Errors
    /// When there is no such adapter, or it refuses to open.
    pub(crate) async fn open_async(index: usize) -> Result<Wgpu> {
        let found = adapters().await;
        let id = format!("wgpu:{index}");
        let Some(adapter) = found.get(index) else {
            let problem = match found.len() {
                0 => NONE.to_string(),
                n => format!("there is no such adapter, only {n}, counted from 0"),
            };
            return Err(Error::device(id, problem, "Install a Vulkan driver (Mesa's lavapipe runs on any CPU), or use --device auto."));
        };
        let info = describe(index, adapter);
        Ok(Wgpu { opened: Arc::new(Opened::open(&info, adapter).await?), info })
    }
}

impl Backend for Wgpu {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: usize) -> Result<Storage> {
        Ok(Box::new(self.opened.alloc(bytes as u64)?))
    }

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        self.opened.write(to, from)
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        self.opened.read(from, to)
    }

    fn start_read(&self, from: &View) -> Result<Box<dyn Arriving>> {
        Ok(Box::new(Arrival::start(self.opened.clone(), from)?))
    }

    fn run(&self, op: &Op) -> Result<()> {
        self.opened.run(op)
    }

    fn compile(&self, ops: &[Op], _: Option<&'static str>) -> Result<Box<dyn Executable>> {
        Ok(Box::new(program::Program::new(self.opened.clone(), ops)?))
    }
}
