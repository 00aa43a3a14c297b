//! Tests of the backend: plans and shaders as data, then the kernels on whatever adapter is there, against the CPU.

mod adapter;
mod faults;
mod groups;
mod kernels;
mod plans;
mod shaders;

use super::Wgpu;
use super::opened::Plant;
use super::product::Tile;
use crate::device::{Backend, DeviceInfo, DeviceKind, Executable, Storage, View};
use crate::op::Op;
use crate::{Device, Dtype, Error, Result, Shape};
use std::sync::{Arc, LazyLock};

/// A device that has buffers of any size and does nothing: for plans.
struct Paper(DeviceInfo);

impl Backend for Paper {
    fn info(&self) -> &DeviceInfo {
        &self.0
    }
    fn alloc(&self, _: usize) -> Result<Storage> {
        Ok(Box::new(()))
    }
    fn write(&self, _: &View, _: &[u8]) -> Result<()> {
        Err(refused())
    }
    fn read(&self, _: &View, _: &mut [u8]) -> Result<()> {
        Err(refused())
    }
    fn run(&self, _: &Op) -> Result<()> {
        Err(refused())
    }
    fn compile(&self, _: &[Op], _: Option<&'static str>) -> Result<Box<dyn Executable>> {
        Err(refused())
    }
}

fn refused() -> Error {
    Error::device("paper", "does nothing", "Use a device.")
}

fn paper() -> Device {
    Device::new(
        Arc::new(Paper(DeviceInfo { id: "paper".into(), kind: DeviceKind::Wgpu, name: "paper".into(), software: true, rungs: &["list"] })),
        "asked for",
    )
}

fn empty(device: &Device, dtype: Dtype, shape: &[usize]) -> View {
    device.alloc(dtype, Shape::new(shape).unwrap()).unwrap()
}

fn floats(device: &Device, shape: &[usize]) -> View {
    empty(device, Dtype::F32, shape)
}

/// The first adapter, opened once for all tests; or why there is none.
static ADAPTER: LazyLock<std::result::Result<Device, String>> = LazyLock::new(|| Device::wgpu(0).map_err(|e| e.to_string()));

/// The first adapter once more, as if it were a GPU, or as what it is.
fn opened(gpu: bool) -> Wgpu {
    let mut backend = Wgpu::open(0).unwrap();
    if gpu {
        let opened = Arc::get_mut(&mut backend.opened).expect("nobody has it yet");
        opened.facts.software = false;
    }
    backend
}

/// The first adapter as a GPU that has this tile for all products, with a change to the texts of shaders.
fn only(tile: Tile, plant: Option<Plant>) -> Device {
    let mut backend = opened(true);
    let opened = Arc::get_mut(&mut backend.opened).expect("nobody has it yet");
    (opened.facts.full, opened.facts.few) = if tile == Tile::SPLIT { (usize::MAX, 0) } else { (0, usize::MAX) };
    if let Some(plant) = plant {
        assert!(opened.plant.set(plant).is_ok());
    }
    Device::new(Arc::new(backend), "asked for")
}

/// The adapter, or `None` after having said that the test did not run.
fn adapter(test: &str) -> Option<Device> {
    match &*ADAPTER {
        Ok(device) => Some(device.clone()),
        Err(why) if std::env::var("NARROWS_REQUIRE").is_ok_and(|all| all.split(',').any(|n| n.trim() == "wgpu")) => panic!("{test}: {why}"),
        Err(why) => {
            println!("ABSENT: {test} did not run: {why}");
            None
        }
    }
}
