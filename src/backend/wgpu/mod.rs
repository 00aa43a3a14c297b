//! WGSL through Vulkan, Metal or DirectX 12.
//!
//! `plan` turns an op, or a group of ops, into launches as plain data, `bind` says what each of them binds, `shader`
//! holds the texts and their variants, `product` and `end` make those that depend on a group, `opened` is the open
//! device with its caches, `transfer` moves bytes to and from it, `program` replays a list of ops in groups.
//! Nothing here panics on what a device does: errors are caught in scopes, or by a handler, and become [`Error`].

mod bind;
mod end;
mod opened;
mod plan;
mod product;
mod program;
mod shader;
#[cfg(test)]
mod tests;
mod transfer;

use crate::device::{Absent, Backend, DeviceInfo, DeviceKind, DeviceList, Executable, Storage, View};
use crate::op::Op;
use crate::{Error, Result};
use opened::Opened;
use std::sync::{Arc, LazyLock};

/// One for the process: it is where drivers are loaded.
static INSTANCE: LazyLock<wgpu::Instance> = LazyLock::new(|| {
    let mut wanted = wgpu::InstanceDescriptor::new_without_display_handle();
    wanted.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    wanted.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(wanted)
});

/// A device behind wgpu.
pub(crate) struct Wgpu {
    info: DeviceInfo,
    opened: Arc<Opened>,
}

fn adapters() -> Vec<wgpu::Adapter> {
    if wgpu::Instance::enabled_backend_features().is_empty() {
        return vec![];
    }
    pollster::block_on(INSTANCE.enumerate_adapters(wgpu::Backends::all()))
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    let driver = [info.driver.as_str(), info.driver_info.as_str()].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ");
    let name =
        if driver.is_empty() { format!("{}, {}", info.name, info.backend) } else { format!("{}, {}, {driver}", info.name, info.backend) };
    DeviceInfo { id: format!("wgpu:{index}"), kind: DeviceKind::Wgpu, name, software: info.device_type == wgpu::DeviceType::Cpu }
}

/// Adds the adapters of this machine, without opening them.
pub(crate) fn list(list: &mut DeviceList) {
    let found = adapters();
    if found.is_empty() {
        list.absent.push(Absent { kind: DeviceKind::Wgpu, reason: format!("wgpu: {NONE}") });
    }
    list.found.extend(found.iter().enumerate().map(|(i, a)| describe(i, a)));
}

const NONE: &str = "no Vulkan, Metal or DirectX 12 adapter was found";

impl Wgpu {
    /// # Errors
    /// When there is no such adapter, or it refuses to open.
    pub(crate) fn open(index: usize) -> Result<Wgpu> {
        let found = adapters();
        let id = format!("wgpu:{index}");
        let Some(adapter) = found.get(index) else {
            let problem = match found.len() {
                0 => NONE.to_string(),
                n => format!("there is no such adapter, only {n}, counted from 0"),
            };
            return Err(Error::device(id, problem, "Install a Vulkan driver (Mesa's lavapipe runs on any CPU), or use --device auto."));
        };
        let info = describe(index, adapter);
        Ok(Wgpu { opened: Arc::new(Opened::open(&info, adapter)?), info })
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

    fn run(&self, op: &Op) -> Result<()> {
        self.opened.run(op)
    }

    fn rungs(&self) -> &'static [&'static str] {
        &["groups"]
    }

    fn compile(&self, ops: &[Op], _: Option<&'static str>) -> Result<Box<dyn Executable>> {
        Ok(Box::new(program::Program::new(self.opened.clone(), ops)?))
    }
}
