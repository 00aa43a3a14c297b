//! `narrows verify`

use super::{Failure, print, say};
use clap::Args;
use narrows::Device;
use narrows::verify::{self, Select};

#[derive(Args)]
pub(super) struct Verify {
    /// One device alone: cpu, cuda[:N], wgpu[:N] or auto. [default: every device that is there]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Threads of the CPU device. [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Only this op's rows.
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Only some 300 small rows.
    #[arg(long, conflicts_with = "all")]
    quick: bool,
    /// Also the rows with operands over 128 MiB; they need 2 GiB of memory.
    #[arg(long)]
    all: bool,
}

impl Verify {
    /// Prints the table of each device; fails when a row does.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let list = Device::list();
        let names: Vec<String> = match &self.device {
            Some(name) => vec![name.clone()],
            None => list.found.iter().map(|info| info.id.clone()).collect(),
        };
        let select = Select { quick: self.quick, large: self.all, op: self.op.clone() };
        let mut failed = 0;
        for name in names {
            let device = Device::open_with(&name, self.threads)?;
            let report = verify::run(&device, &select)?;
            failed += report.failed();
            print(format_args!("{report}\n"))?;
        }
        if self.device.is_none() {
            for absent in list.absent {
                print(format_args!("absent: {}", absent.reason))?;
            }
        }
        if failed > 0 {
            say(format_args!("narrows: {failed} rows failed. The text above names each with its op, shape and element."));
            return Err(Failure::Check);
        }
        Ok(())
    }
}
