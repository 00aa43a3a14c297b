//! Runs a case on a device and judges what it left in memory.

use super::case::{Case, Data, Expect};
use super::layout::{Layout, Placed};
use super::row::Row;
use crate::op::{Op, Role};
use crate::{Device, DeviceKind, Result};

/// A row with its case and its memory images, to be run on any number of devices.
pub(crate) struct Prepared {
    pub(crate) row: Row,
    pub(crate) case: Case,
    placed: Placed,
}

/// The outcome of a case on a device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Whether every result has the contract's bits.
    pub(crate) bits: bool,
    /// The worst error as a fraction of its bound.
    pub(crate) worst: f64,
    /// The first thing that is wrong.
    pub(crate) wrong: Option<Wrong>,
}

/// What is wrong, and where.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) problem: String,
    /// Element, result, expected result, bound.
    pub(crate) value: Option<(usize, f64, f64, f64)>,
}

impl Wrong {
    fn text(problem: impl Into<String>) -> Wrong {
        Wrong { problem: problem.into(), value: None }
    }
}

impl Prepared {
    pub(crate) fn new(row: Row) -> Prepared {
        let case = Case::new(&row);
        let placed = Placed::new(&case, row.layout);
        Prepared { row, case, placed }
    }

    /// An error of the device is a failure too: it must not reject a checked op.
    pub(crate) fn run(&self, device: &Device) -> Verdict {
        match self.execute(device) {
            Ok(after) => self.judge(&after, device.info().kind),
            Err(e) => Verdict { wrong: Some(Wrong::text(e.to_string())), ..Verdict::default() },
        }
    }

    /// The op on the device, with its operands uploaded.
    pub(crate) fn on(&self, device: &Device) -> Result<Op> {
        let (views, _) = self.placed.upload(&self.case, device)?;
        let op = self.row.on(&views);
        op.check()?;
        Ok(op)
    }

    /// The bytes of all buffers after the op.
    fn execute(&self, device: &Device) -> Result<Vec<Vec<u8>>> {
        let (views, buffers) = self.placed.upload(&self.case, device)?;
        let op = self.row.on(&views);
        op.check()?;
        device.backend().run(&op)?;
        let read = |(buffer, image): (&crate::device::View, &super::layout::Image)| {
            let mut bytes = vec![0x5a; image.bytes.len()];
            device.backend().read(buffer, &mut bytes).map(|_| bytes)
        };
        buffers.iter().zip(&self.placed.images).map(read).collect()
    }

    fn judge(&self, after: &[Vec<u8>], kind: DeviceKind) -> Verdict {
        let mut verdict = Verdict { bits: true, ..Verdict::default() };
        verdict.wrong = self.strays(after);
        for expect in &self.case.expects {
            let location = self.placed.locations[expect.operand];
            let size = self.placed.images[location.image].dtype.size();
            let start = location.offset * size;
            let got = &after[location.image][start..start + expect.contract.bytes().len()];
            match &expect.contract {
                Data::F32(contract) => {
                    let got: Vec<f32> = words(got).map(f32::from_bits).collect();
                    judge_floats(&got, contract, expect, kind, &mut verdict);
                }
                integers => {
                    if got != integers.bytes() {
                        verdict.bits = false;
                        verdict.wrong.get_or_insert(Wrong::text(format!(
                            "the integers are {:?}, not {integers:?}",
                            words(got).collect::<Vec<u32>>()
                        )));
                    }
                }
            }
        }
        verdict
    }

    /// Finds a change outside what the op writes.
    fn strays(&self, after: &[Vec<u8>]) -> Option<Wrong> {
        let mut expected: Vec<(usize, usize, usize, &str)> = Vec::new();
        for (location, operand) in self.placed.locations.iter().zip(&self.case.operands) {
            let (size, bytes) = (operand.data.dtype().size(), operand.data.bytes().len());
            if operand.role != Role::Read {
                expected.push((location.image, location.offset * size, bytes, ""));
            }
        }
        expected.sort();
        for (i, (before, after)) in self.placed.images.iter().zip(after).enumerate() {
            let mut from = 0;
            let written = expected.iter().filter(|e| e.0 == i).map(|e| (e.1, e.1 + e.2));
            for (start, end) in written.chain([(before.bytes.len(), before.bytes.len())]) {
                if before.bytes[from..start] != after[from..start] {
                    let at = (from..start).find(|&b| before.bytes[b] != after[b]).unwrap_or(from);
                    let operands = self.placed.locations.iter().enumerate().filter(|(_, p)| p.image == i);
                    let named: Vec<String> = operands.map(|(o, p)| format!("{o} at {}", p.offset)).collect();
                    let size = before.dtype.size();
                    return Some(Wrong::text(format!(
                        "element {} of buffer {i} was overwritten (it holds operand {})",
                        at / size,
                        named.join(", operand ")
                    )));
                }
                from = end;
            }
        }
        None
    }

    /// The case in words.
    pub(crate) fn describe(&self) -> String {
        let layout = if self.row.layout == Layout::Start { String::new() } else { format!(", {:?} views", self.row.layout).to_lowercase() };
        format!("{:?} with {:?}, of {:?}, seed {}{layout}", self.row.op, self.row.given, self.row.kind, self.row.seed)
    }

    /// Judges the contract itself against the oracle.
    #[cfg(test)]
    pub(crate) fn contract_against_oracle(&self) -> Verdict {
        let mut after: Vec<Vec<u8>> = self.placed.images.iter().map(|i| i.bytes.clone()).collect();
        for expect in &self.case.expects {
            let location = self.placed.locations[expect.operand];
            let start = location.offset * 4;
            let bytes = expect.contract.bytes();
            after[location.image][start..start + bytes.len()].copy_from_slice(bytes);
        }
        self.judge(&after, DeviceKind::Cpu)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// The same bits, but any NaN for a NaN.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn judge_floats(got: &[f32], contract: &[f32], expect: &Expect, kind: DeviceKind, verdict: &mut Verdict) {
    let wgsl = kind == DeviceKind::Wgpu;
    let mut alive = false;
    for (i, (&g, &c)) in got.iter().zip(contract).enumerate() {
        alive |= g != 0.0;
        let bits = same(g, c);
        verdict.bits &= bits;
        // Where the contract overflows there is no error to measure: the result must be the same infinity, or NaN for
        // NaN.
        let (error, bound, oracle) = match &expect.within {
            Some(w) if c.is_finite() => ((f64::from(g) - w.oracle[i]).abs(), w.bound(i, wgsl), w.oracle[i]),
            _ if bits => (0.0, 0.0, f64::from(c)),
            _ => (f64::INFINITY, 0.0, f64::from(c)),
        };
        let fraction = match () {
            _ if error == 0.0 => 0.0,
            _ if error.is_nan() => f64::INFINITY,
            _ => error / bound,
        };
        verdict.worst = verdict.worst.max(fraction);
        if verdict.wrong.is_some() {
            continue;
        }
        if fraction.is_nan() || fraction > 1.0 {
            let problem = format!("operand {} is out of its bound", expect.operand);
            verdict.wrong = Some(Wrong { problem, value: Some((i, g.into(), oracle, bound)) });
        } else if !bits && !wgsl {
            let problem =
                format!("operand {} differs from the contract's bits: {:#010x}, not {:#010x}", expect.operand, g.to_bits(), c.to_bits());
            verdict.wrong = Some(Wrong { problem, value: Some((i, g.into(), c.into(), 0.0)) });
        }
    }
    if !alive && contract.iter().any(|&c| c != 0.0 && !c.is_subnormal()) {
        verdict.wrong.get_or_insert(Wrong::text(format!("operand {} is zero everywhere", expect.operand)));
    }
}
