//! The results of the table, as data and as text.

use super::judge::{Prepared, Verdict};
use crate::{Device, DeviceKind};
use std::fmt;

/// The results of the table on a device.
#[derive(Clone, Debug)]
pub struct Report {
    /// The device, as `Device::open` takes it.
    pub device: String,
    /// Which implementation it runs.
    pub kind: DeviceKind,
    /// The driver's name for it, with the options that the engine chose.
    pub name: String,
    /// A row for each op, in the order of the instruction set.
    pub rows: Vec<OpReport>,
    /// A row for each rung at which programs run besides the list; its cases are operands of trainings of all kinds.
    /// Empty where only some rows were selected.
    pub programs: Vec<OpReport>,
    /// The time that the device took, transfers and comparison included.
    pub seconds: f64,
}

/// The results of one op on a device, or of one rung.
#[derive(Clone, Debug)]
pub struct OpReport {
    /// The op, or the rung.
    pub op: &'static str,
    /// Distinct rows that were run.
    pub cases: usize,
    /// Rows whose results had the contract's bits.
    pub bit_for_bit: usize,
    /// The worst error against the oracle, as a fraction of its bound.
    pub worst: f64,
    /// Rows that failed.
    pub failed: usize,
    /// The first of the failures.
    pub failures: Vec<Failure>,
}

/// A row that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The op, or the rung.
    pub op: &'static str,
    /// The device.
    pub device: String,
    /// The row: sizes, scalars, kind of data, seed.
    pub case: String,
    /// What is wrong.
    pub problem: String,
    /// The first wrong element, if an element is wrong.
    pub value: Option<Mismatch>,
}

/// A wrong element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mismatch {
    /// Its index in the result.
    pub index: usize,
    /// What the device computed.
    pub got: f64,
    /// What it should be.
    pub expected: f64,
    /// How far it may be off.
    pub bound: f64,
}

/// Failures that are kept for each op.
pub(super) const KEPT: usize = 5;

impl Report {
    pub(super) fn new(device: &Device) -> Report {
        let info = device.info();
        Report { device: info.id.clone(), kind: info.kind, name: info.name.clone(), rows: Vec::new(), programs: Vec::new(), seconds: 0.0 }
    }

    pub(super) fn add(&mut self, prepared: &Prepared, verdict: Verdict, device: &Device) {
        let op = prepared.row.name();
        let at = self.rows.iter().position(|r| r.op == op).unwrap_or_else(|| {
            self.rows.push(OpReport { op, cases: 0, bit_for_bit: 0, worst: 0.0, failed: 0, failures: Vec::new() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.cases += 1;
        row.bit_for_bit += usize::from(verdict.bits);
        row.worst = row.worst.max(verdict.worst);
        if let Some(wrong) = verdict.wrong {
            row.failed += 1;
            if row.failures.len() < KEPT {
                let value = wrong.value.map(|(index, got, expected, bound)| Mismatch { index, got, expected, bound });
                row.failures.push(Failure {
                    op,
                    device: device.id().to_string(),
                    case: prepared.describe(),
                    problem: wrong.problem,
                    value,
                });
            }
        }
    }

    /// Distinct rows that were run.
    pub fn cases(&self) -> usize {
        self.rows.iter().map(|r| r.cases).sum()
    }

    /// Rows that failed, and operands of programs.
    pub fn failed(&self) -> usize {
        self.rows.iter().chain(&self.programs).map(|r| r.failed).sum()
    }
}

impl OpReport {
    /// `bit for bit`, or how many rows were.
    fn bits(&self) -> String {
        if self.bit_for_bit == self.cases { "bit for bit".into() } else { format!("{} of {}", self.bit_for_bit, self.cases) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} ({})", self.device, self.name)?;
        for (what, cases, rows) in [("op", "cases", &self.rows), ("program", "values", &self.programs)] {
            if !rows.is_empty() {
                writeln!(f, "{what:<14} {:<8} {cases:>6}  {:<14} {:>12}  {:>6}", "device", "contract", "error/bound", "failed")?;
            }
            for row in rows {
                let (bits, worst) = (row.bits(), row.worst);
                writeln!(f, "{:<14} {:<8} {:>6}  {bits:<14} {worst:>12.4}  {:>6}", row.op, self.device, row.cases, row.failed)?;
            }
        }
        write!(f, "{} rows in {:.1} s, {} failed", self.cases(), self.seconds, self.failed())?;
        for failure in self.rows.iter().chain(&self.programs).flat_map(|r| &r.failures) {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} on {}: {} [{}]", self.op, self.device, self.problem, self.case)?;
        if let Some(m) = self.value {
            write!(f, ": element {} is {:e} where {:e} is expected, within {:e}", m.index, m.got, m.expected, m.bound)?;
        }
        Ok(())
    }
}
