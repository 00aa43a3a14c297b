//! The table that proves the backends: every op on a device, at many shapes and with several kinds of data, compared
//! with a naive f64 oracle and with the bits that `docs/numerics.md` prescribes.
//!
//! On the CPU and on CUDA a result must have exactly the contract's bits and lie within the oracle's bound; in WGSL it
//! must lie within the bound, and be exact wherever the op is made of exact steps. Every output holds NaN beforehand,
//! every operand has guard zones on both sides, and operands that are only read must be unchanged afterwards.
//!
//! ```no_run
//! let report = narrows::verify::run(&narrows::Device::auto()?, &narrows::verify::Select::default())?;
//! println!("{report}");
//! assert_eq!(report.failed(), 0);
//! # Ok::<(), narrows::Error>(())
//! ```

mod bench;
mod case;
pub(crate) mod contract;
mod data;
mod judge;
mod layout;
pub(crate) mod ops;
pub(crate) mod programs;
mod reference;
mod report;
pub(crate) mod row;

#[cfg(test)]
mod tests;

pub use bench::{Spread, Timing, bench, bench_step, benched};
pub use report::{Failure, OpReport, Report};

use crate::time::Instant;
use crate::{Device, Error, Result};
use judge::Prepared;
use rayon::prelude::*;

/// Which rows of the table to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// Only some small rows of each op, at least 300 in all: for slow devices.
    pub quick: bool,
    /// Also the rows of 17,000,000 elements, of more than 65,535 blocks, and of buffers over 128 MiB. They need some
    /// 2 GiB of memory.
    pub large: bool,
    /// Leaves out rows for which the f64 reference needs more operations than this.
    pub most_work: Option<usize>,
    /// Only the rows of this op; `program` is only the programs.
    pub op: Option<String>,
}

impl Default for Select {
    /// All rows but the large ones.
    fn default() -> Select {
        Select { quick: false, large: false, most_work: None, op: None }
    }
}

impl Select {
    /// All rows, the large ones included.
    pub fn all() -> Select {
        Select { large: true, ..Select::default() }
    }

    /// Some small rows of each op.
    pub fn quick() -> Select {
        Select { quick: true, ..Select::default() }
    }

    fn rows(&self) -> Result<Vec<row::Row>> {
        let mut rows = row::all();
        if let Some(op) = &self.op {
            let names = row::names(&rows);
            if !names.contains(&op.as_str()) && op != PROGRAM {
                let remedy = format!("Use one of {}, {PROGRAM}.", names.join(", "));
                return Err(Error::argument("verify", format!("there is no op `{op}`"), remedy));
            }
            rows.retain(|r| r.name() == op);
        }
        rows.retain(|r| (self.large || !r.large()) && self.most_work.is_none_or(|most| r.work() <= most));
        if self.quick {
            rows = row::quick(rows);
        }
        Ok(rows)
    }
}

/// What selects the programs alone.
const PROGRAM: &str = "program";

/// Runs the selected rows on one device; where all ops are selected, and not only some rows of each, also programs.
///
/// # Errors
/// When no op has the selected name. Failures on the device are in the report.
pub fn run(device: &Device, select: &Select) -> Result<Report> {
    Ok(run_each(std::slice::from_ref(device), select)?.remove(0))
}

/// Runs the selected rows on several devices; the oracle computes each row once.
///
/// # Errors
/// As [`run`].
pub fn run_each(devices: &[Device], select: &Select) -> Result<Vec<Report>> {
    let mut reports: Vec<Report> = devices.iter().map(Report::new).collect();
    let (large, small): (Vec<_>, Vec<_>) = select.rows()?.into_iter().partition(row::Row::large);
    // The oracle works on many small rows at once, but holds one large row at a time.
    let batches = small.chunks(128).chain(large.chunks(1));
    for batch in batches {
        let prepared: Vec<Prepared> = batch.to_vec().into_par_iter().map(Prepared::new).collect();
        for (device, report) in devices.iter().zip(&mut reports) {
            let start = Instant::now();
            for prepared in &prepared {
                report.add(prepared, prepared.run(device), device);
            }
            report.seconds += start.elapsed().as_secs_f64();
        }
    }
    if select.op.as_deref().map_or(!select.quick, |op| op == PROGRAM) {
        for (device, report) in devices.iter().zip(&mut reports) {
            let start = Instant::now();
            report.programs = programs::run(device);
            report.seconds += start.elapsed().as_secs_f64();
        }
    }
    Ok(reports)
}

/// The selected rows of each op, in the order of the instruction set.
///
/// # Errors
/// As [`run`].
pub fn count(select: &Select) -> Result<Vec<(&'static str, usize)>> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for row in select.rows()? {
        let op = row.name();
        match counts.iter_mut().find(|(name, _)| *name == op) {
            Some((_, rows)) => *rows += 1,
            None => counts.push((op, 1)),
        }
    }
    Ok(counts)
}
