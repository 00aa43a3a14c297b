//! The table is tested: backends with planted faults, each of which every op's rows must catch.

use crate::device::{Backend, Device, DeviceInfo, Executable, Storage, View};
use crate::op::Op;
use crate::verify::{Select, run};
use crate::{DeviceKind, Dtype, Level, Result, Shape};

/// What the wrapped backend does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing.
    None,
    /// One element in the middle is off by its last bit.
    LastBit,
    /// The result is moved by one element.
    Shifted,
    /// The last element is not written.
    MissingTail,
    /// One element past the end is written.
    OnePastEnd,
    /// One element before the beginning is written.
    OneBefore,
    /// An operand that is only read is changed.
    InputChanged,
    /// Nothing is computed.
    NotRun,
    /// Every result is 0.
    Zero,
    /// NaN becomes 0.
    NanLost,
    /// Everything is off by a thousandth.
    Inexact,
    /// The sign of one element.
    Sign,
    /// The op fails.
    Refused,
}

const FAULTS: [Fault; 12] = [
    Fault::LastBit,
    Fault::Shifted,
    Fault::MissingTail,
    Fault::OnePastEnd,
    Fault::OneBefore,
    Fault::InputChanged,
    Fault::NotRun,
    Fault::Zero,
    Fault::NanLost,
    Fault::Inexact,
    Fault::Sign,
    Fault::Refused,
];

struct Faulty {
    inner: Device,
    info: DeviceInfo,
    fault: Fault,
}

impl Faulty {
    fn device(fault: Fault, kind: DeviceKind) -> Device {
        let inner = Device::cpu_with(1, Level::Portable).unwrap();
        // Programs have no fault, so that the list is what differs.
        let info = DeviceInfo { id: format!("{fault:?}"), kind, name: "a planted fault".into(), software: true, rungs: &["team", "list"] };
        Device::new(std::sync::Arc::new(Faulty { inner, info, fault }), "planted")
    }

    fn floats(&self, view: &View) -> Vec<u32> {
        let mut bytes = vec![0; view.len() * 4];
        self.inner.backend().read(view, &mut bytes).unwrap();
        bytemuck::cast_slice::<u8, [u8; 4]>(&bytes).iter().map(|b| u32::from_le_bytes(*b)).collect()
    }

    fn put(&self, view: &View, words: &[u32]) {
        self.inner.backend().write(view, bytemuck::cast_slice(words)).unwrap();
    }
}

/// The elements beside a view that it does not own.
fn outside(view: &View, before: bool) -> Option<View> {
    let offset = if before { view.offset.checked_sub(1)? } else { view.offset + view.len() };
    (offset < view.buffer.len).then(|| View { offset, shape: Shape::new(&[1]).unwrap(), ..view.clone() })
}

impl Backend for Faulty {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: usize) -> Result<Storage> {
        self.inner.backend().alloc(bytes)
    }

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        self.inner.backend().write(to, from)
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        self.inner.backend().read(from, to)
    }

    fn compile(&self, ops: &[Op], rung: Option<&'static str>) -> Result<Box<dyn Executable>> {
        self.inner.backend().compile(ops, rung)
    }

    fn run(&self, op: &Op) -> Result<()> {
        // The last of what is written is the result; what comes before it is workspace, or results of Adam.
        let result = op.result().clone();
        let before = self.floats(&result);
        if self.fault == Fault::Refused {
            return Err(crate::Error::device("faulty", "it does not want to", "Ask again."));
        }
        if self.fault != Fault::NotRun {
            self.inner.backend().run(op)?;
        }
        let mut words = self.floats(&result);
        let n = words.len();
        let float = result.dtype() == Dtype::F32;
        match self.fault {
            Fault::None | Fault::NotRun | Fault::Refused => {}
            _ if n == 0 => {}
            Fault::LastBit => words[n / 2] ^= 1,
            Fault::Shifted => words.rotate_right(1),
            Fault::MissingTail => words[n - 1] = before[n - 1],
            Fault::Zero => words.fill(0),
            Fault::Sign => words[n / 2] ^= 1 << 31,
            Fault::NanLost => words.iter_mut().filter(|w| float && f32::from_bits(**w).is_nan()).for_each(|w| *w = 0),
            Fault::Inexact => {
                words.iter_mut().for_each(|w| *w = if float { (f32::from_bits(*w) * 1.001).to_bits() } else { w.wrapping_add(1) })
            }
            Fault::OnePastEnd => {
                if let Some(view) = outside(&result, false) {
                    self.put(&view, &[0]);
                }
            }
            Fault::OneBefore => {
                if let Some(view) = outside(&result, true) {
                    self.put(&view, &[0]);
                }
            }
            Fault::InputChanged => {
                for view in op.reads().filter(|v| v.dtype() != Dtype::U8 && v.len() > 0 && !v.overlaps(&result)) {
                    let mut words = self.floats(view);
                    words[0] ^= 1;
                    self.put(view, &words);
                }
            }
        }
        if n > 0 {
            self.put(&result, &words);
        }
        Ok(())
    }
}

#[test]
fn the_wrapper_alone_does_no_harm() {
    for kind in [DeviceKind::Cpu, DeviceKind::Wgpu] {
        let report = run(&Faulty::device(Fault::None, kind), &Select::quick()).unwrap();
        assert_eq!(report.failed(), 0, "{report}");
    }
}

#[test]
fn every_op_catches_every_planted_fault() {
    // What an op cannot show: it reads nothing, or no row of it has a NaN or more than one element in its result.
    let blind = |fault: Fault, op: &str| match fault {
        Fault::InputChanged => ["fill", "advance"].contains(&op),
        Fault::NanLost => ["advance", "uniform", "normal", "cut", "merge_topk", "idle"].contains(&op),
        Fault::Shifted => ["sum", "square_sum", "abs_sum", "mse", "bce", "kl", "rho_kl", "sum_grad", "fill"].contains(&op),
        _ => false,
    };
    for fault in FAULTS {
        let report = run(&Faulty::device(fault, DeviceKind::Cpu), &Select::quick()).unwrap();
        assert_eq!(report.rows.len(), crate::verify::row::names(&crate::verify::row::all()).len());
        for row in report.rows {
            assert!(row.failed > 0 || blind(fault, row.op), "{fault:?} in {} passes all {} rows", row.op, row.cases);
        }
    }
}

/// A rung that does not do what the list does.
#[test]
fn programs_catch_a_list_that_does_something_else() {
    let programs = Select { op: Some("program".into()), ..Select::default() };
    let failed = |fault: Fault, kind| {
        let report = run(&Faulty::device(fault, kind), &programs).unwrap();
        // What fails has no operands to compare.
        let cases = if fault == Fault::Refused { 7 } else { 500 };
        assert!(report.rows.is_empty() && report.programs.len() == 1 && report.programs[0].cases >= cases, "{report}");
        report.failed()
    };
    for kind in [DeviceKind::Cpu, DeviceKind::Wgpu] {
        assert_eq!(failed(Fault::None, kind), 0);
        for fault in [Fault::Sign, Fault::Zero, Fault::Shifted, Fault::NotRun, Fault::Refused] {
            assert!(failed(fault, kind) > 0, "{fault:?} on {kind}");
        }
    }
    assert!(failed(Fault::Inexact, DeviceKind::Cpu) > 0, "equal bits are demanded");
}

/// Without the demand for equal bits, the bounds alone.
#[test]
fn bounds_catch_faults_where_bits_are_not_demanded() {
    let blind = |fault: Fault, op: &str| match fault {
        Fault::Shifted => ["sum", "square_sum", "abs_sum", "mse", "bce", "kl", "rho_kl", "sum_grad", "fill"].contains(&op),
        _ => false,
    };
    for fault in [Fault::Inexact, Fault::Sign, Fault::Zero, Fault::Shifted, Fault::MissingTail] {
        let report = run(&Faulty::device(fault, DeviceKind::Wgpu), &Select::quick()).unwrap();
        for row in report.rows {
            assert!(row.failed > 0 || blind(fault, row.op), "{fault:?} in {} passes all {} rows", row.op, row.cases);
        }
    }
}
