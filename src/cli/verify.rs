//! `narrows verify`

use super::common::{Failure, print, say};
use clap::Args;
use narrows::Device;
use narrows::verify::{self, OpReport, Report, Select};
use serde_json::json;

#[derive(Args)]
pub(super) struct Verify {
    /// One device: cpu, cuda[:N], wgpu[:N] or auto. [default: every available device]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Threads of the CPU device. [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Only this op's rows; `program` is only the programs.
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Only some 300 small rows.
    #[arg(long, conflicts_with = "all")]
    quick: bool,
    /// Also the rows with operands over 128 MiB; they need 2 GiB of memory.
    #[arg(long)]
    all: bool,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Prints the table of each device; fails when a row does.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let list = Device::list();
        let names: Vec<String> = match &self.device {
            Some(name) => vec![name.clone()],
            None => list.found.iter().map(|info| info.id.clone()).collect(),
        };
        let select = Select { quick: self.quick, large: self.all, op: self.op.clone(), ..Select::default() };
        let (mut failed, mut reports) = (0, Vec::new());
        for name in names {
            let device = Device::open_with(&name, self.threads)?;
            let report = verify::run(&device, &select)?;
            failed += report.failed();
            match self.json {
                true => reports.push(json(&report)),
                false => print(format_args!("{report}\n"))?,
            }
        }
        if self.json {
            let absent: Vec<_> = list.absent.iter().map(|a| a.reason.as_str()).collect();
            print(json!({ "reports": reports, "absent": if self.device.is_none() { absent } else { Vec::new() } }))?;
        } else if self.device.is_none() {
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

fn json(report: &Report) -> serde_json::Value {
    let of = |rows: &[OpReport], name: &str| -> Vec<_> {
        let row = |r: &OpReport| {
            json!({
                name: r.op, "cases": r.cases, "bit_for_bit": r.bit_for_bit, "error_over_bound": r.worst, "failed": r.failed,
                "failures": r.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        rows.iter().map(row).collect()
    };
    let (rows, programs) = (of(&report.rows, "op"), of(&report.programs, "rung"));
    json!({
        "device": report.device, "name": report.name, "seconds": report.seconds, "failed": report.failed(),
        "rows": rows, "programs": programs,
    })
}
