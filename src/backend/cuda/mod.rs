//! NVIDIA GPUs: the committed PTX, through the driver.

mod driver;
mod launch;
mod plan;
mod program;
mod ptx;
#[cfg(feature = "standin")]
pub(crate) mod standin;
#[cfg(all(test, feature = "standin"))]
mod tests;

use crate::device::{Absent, Backend, DeviceInfo, DeviceKind, DeviceList, Executable, Storage, View};
use crate::op::Op;
use crate::{Error, Result};
use launch::Queue;
use plan::plan;
use std::sync::Arc;

/// Adds the GPUs to a list of devices, or why there are none.
pub(crate) fn list(list: &mut DeviceList) {
    match driver::gpus() {
        Ok(gpus) => {
            for gpu in gpus {
                match gpu.supported() {
                    Ok(()) => list.found.push(gpu.info()),
                    Err(e) => list.absent.push(Absent { kind: DeviceKind::Cuda, reason: e.to_string() }),
                }
            }
        }
        Err(e) => list.absent.push(Absent { kind: DeviceKind::Cuda, reason: e.to_string() }),
    }
}

/// A GPU as a device.
pub(crate) struct Cuda {
    info: DeviceInfo,
    queue: Arc<Queue>,
}

impl Cuda {
    pub(crate) fn open(index: usize) -> Result<Cuda> {
        let gpus = driver::gpus()?;
        let there = gpus.len();
        let Some(gpu) = gpus.into_iter().nth(index) else {
            let plural = if there == 1 { "GPU" } else { "GPUs" };
            return Err(Error::device(
                format!("cuda:{index}"),
                format!("there is no such GPU, the driver sees {there} {plural}"),
                "Use a lower number.",
            ));
        };
        gpu.supported()?;
        Ok(Cuda { queue: Arc::new(Queue::open(index)?), info: gpu.info() })
    }
}

impl Backend for Cuda {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: usize) -> Result<Storage> {
        Ok(Box::new(self.queue.alloc(bytes)?))
    }

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        self.queue.write(to, from)
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        self.queue.read(from, to)
    }

    fn run(&self, op: &Op) -> Result<()> {
        let launches = plan(op, self.queue.facts()).into_iter().map(|l| self.queue.ready(l)).collect::<Result<Vec<_>>>()?;
        self.queue.launch(&launches, 1)
    }

    fn compile(&self, ops: &[Op], rung: Option<&'static str>) -> Result<Box<dyn Executable>> {
        program::compile(self.queue.clone(), ops, rung)
    }
}
