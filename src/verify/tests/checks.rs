//! `Op::check` is tested: backends rely on what it proves, so whatever is wrong with one operand must be refused.

use crate::device::View;
use crate::op::{AdamHyper, Cost, Op, chunks};
use crate::verify::case::Case;
use crate::verify::data::Kind;
use crate::verify::rows;
use crate::verify::spec::{Same, Spec};
use crate::{Device, Dtype, Level, Shape};

const HYPER: AdamHyper = AdamHyper { w1: 0.1, beta2: 0.9, w2: 0.1, eps: 1e-8 };

/// One spec for each op, of sizes that differ from each other.
fn specs() -> Vec<Spec> {
    let s = || vec![3, 5];
    vec![
        Spec::Dense([2, 3, 5]),
        Spec::DenseDx([2, 3, 5]),
        Spec::DenseDw([2, 3, 5]),
        Spec::DenseDb([2, 5]),
        Spec::Relu(s()),
        Spec::ReluGrad(s()),
        Spec::Sigmoid(s()),
        Spec::SigmoidGrad(s()),
        Spec::Tanh(s()),
        Spec::TanhGrad(s()),
        Spec::Mse(s(), 1.0),
        Spec::MseGrad(s(), 1.0),
        Spec::Bce(s(), 1.0),
        Spec::BceGrad(s(), 1.0),
        Spec::Sum(s()),
        Spec::SquareSum(s()),
        Spec::Clip(s(), 1.0, 4.0, Same::None),
        Spec::Broadcast(s()),
        Spec::Add(s(), Same::None),
        Spec::Scale(s(), 2.0, Same::None),
        Spec::Fill(s(), 1.0),
        Spec::Copy(s()),
        Spec::Gather { items: 7, row: vec![5], order: 3, batch: 2, cursor: 0, bytes: false, beyond: false },
        Spec::Advance { clock: [0, 0], rows: 1, period: 3 },
        Spec::Store { entries: 3, shape: vec![5], clock: [0, 0] },
        Spec::Uniform { shape: s(), lo: 0.0, range: 1.0, seed: 0, purpose: 0, clock: [0, 0] },
        Spec::Adam { shape: s(), steps: 4, clock: [0, 0], hyper: HYPER },
    ]
}

/// The spec of that op.
fn spec(name: &str) -> Spec {
    specs().into_iter().find(|s| s.name() == name).unwrap()
}

/// Views in buffers of their own, in the order of the case's operands.
fn views(spec: &Spec, device: &Device) -> Vec<View> {
    let case = Case::new(spec, Kind::Integers, 0);
    case.operands.iter().map(|o| fresh(device, o.data.dtype(), &o.shape)).collect()
}

fn fresh(device: &Device, dtype: Dtype, dims: &[usize]) -> View {
    device.alloc(dtype, Shape::new(dims).unwrap()).unwrap()
}

/// The op's name for each of the views.
fn names(op: &Op, views: &[View]) -> Vec<&'static str> {
    let all = [op.reads(), op.writes()].concat();
    assert_eq!(all.len(), views.len(), "{}: an operand is neither read nor written", op.name());
    views.iter().map(|v| all.iter().find(|(_, other)| v.identical(other)).unwrap().0).collect()
}

fn text(op: &Op) -> String {
    op.check().expect_err(&format!("this should have been refused: {op:?}")).to_string()
}

#[test]
fn every_op_is_here() {
    assert_eq!(specs().iter().map(Spec::name).collect::<Vec<_>>(), rows::order());
}

#[test]
fn an_operand_that_is_elsewhere_or_of_another_type_or_past_its_buffer_is_refused() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    let other = Device::cpu_with(1, Level::Portable).unwrap();
    for spec in specs() {
        let good = views(&spec, &device);
        let op = spec.op(&good);
        op.check().unwrap();
        for (i, name) in names(&op, &good).into_iter().enumerate() {
            let with = |view: View| {
                let mut views = good.clone();
                views[i] = view;
                spec.op(&views)
            };
            let (dims, dtype) = (good[i].shape.dims(), good[i].dtype());
            if good.len() > 1 {
                assert!(text(&with(fresh(&other, dtype, dims))).contains("is on"), "{op:?}: {name}");
            }
            for wrong in [Dtype::F32, Dtype::U32, Dtype::U8] {
                let op = with(fresh(&device, wrong, dims));
                if wrong == dtype || (name == "data" && wrong == Dtype::U8) {
                    op.check().unwrap();
                } else {
                    assert!(text(&op).contains("has elements of"), "{op:?}: {name}");
                }
            }
            // The last element is the first past the buffer.
            assert!(text(&with(View { offset: 1, ..good[i].clone() })).contains("reaches to element"), "{op:?}: {name}");
        }
    }
}

#[test]
fn an_operand_of_another_shape_is_refused() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    for spec in specs() {
        let good = views(&spec, &device);
        let op = spec.op(&good);
        for (i, name) in names(&op, &good).into_iter().enumerate() {
            let with = |dims: &[usize]| {
                let mut views = good.clone();
                views[i] = fresh(&device, good[i].dtype(), dims);
                spec.op(&views)
            };
            let dims = good[i].shape.dims();
            for at in 0..dims.len() {
                let free = match (op.name(), name) {
                    ("fill" | "uniform" | "broadcast", "y") | ("gather", "order") | ("sum" | "square_sum", "x") => true,
                    ("dense_db", "dz") | ("gather", "data" | "y") | ("adam", "table") | ("store", "ring") => at == 0,
                    _ => false,
                };
                for by in [-1, 1] {
                    let mut dims = dims.to_vec();
                    dims[at] = dims[at].checked_add_signed(by).unwrap();
                    // Nothing to take from, or nothing to put it.
                    let empty = dims[at] == 0 && ["order", "ring", "data"].contains(&name);
                    assert_eq!(with(&dims).check().is_ok(), free && !empty, "{}: {name} of {dims:?}", op.name());
                }
            }
            // As many elements, but as another matrix: matters where rows and columns have a meaning.
            if op.name().starts_with("dense") && dims.len() == 2 {
                text(&with(&[dims[1], dims[0]]));
                text(&with(&[dims[0] * dims[1]]));
            }
        }
    }
    let with = |change: &dyn Fn(&mut Vec<View>), spec: Spec| {
        let mut views = views(&spec, &device);
        change(&mut views);
        spec.op(&views)
    };
    let gather = |data: usize, order: usize, batch: usize| {
        let shaped = |n: usize| fresh(&device, Dtype::F32, &[n, 5]);
        let change = |v: &mut Vec<View>| {
            (v[0], v[1], v[3]) = (shaped(data), fresh(&device, Dtype::U32, &[order]), shaped(batch));
        };
        with(&change, spec("gather"))
    };
    gather(0, 0, 0).check().unwrap();
    gather(1, 1, 2).check().unwrap();
    assert!(text(&gather(0, 1, 2)).contains("2 rows wanted from 0 by an order of 1"));
    assert!(text(&gather(1, 0, 2)).contains("2 rows wanted from 1 by an order of 0"));
    let none = |at: usize, dims: &[usize], spec| with(&|v| v[at] = fresh(&device, v[at].dtype(), dims), spec);
    assert!(text(&none(2, &[0, 5], spec("store"))).contains("ring has 0 elements where entries of 5 are wanted"));
    assert!(text(&none(4, &[0, 3], spec("adam"))).contains("steps x 4 is needed"));
    for (spec, operands) in [(Spec::Sum(vec![15]), 1), (Spec::Mse(vec![15], 1.0), 2)] {
        let longer = |n: usize| with(&|v| v[..operands].fill(fresh(&device, Dtype::F32, &[n])), spec.clone());
        longer(4096).check().unwrap();
        assert!(text(&longer(4097)).contains("work has 1 elements where 2 are needed"));
    }
    let half = 1 << 31;
    for (rows, period, good) in [(0, 1, true), (half, half, true), (1, 0, false), (half + 1, half, false), (1, half + 1, false)] {
        let op = Op::Advance { clock: fresh(&device, Dtype::U32, &[2]), rows, period };
        assert_eq!(op.check().is_ok(), good, "{rows} rows in a period of {period}");
    }
    assert!(text(&with(&|_| (), Spec::Mse(vec![0, 5], 1.0))).contains("a mean over no elements"));
}

#[test]
fn what_is_written_overlaps_nothing_but_itself() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    for spec in specs() {
        let good = views(&spec, &device);
        let op = spec.op(&good);
        let names = names(&op, &good);
        let writes: Vec<&str> = op.writes().iter().map(|(name, _)| *name).collect();
        for i in 0..good.len() {
            for j in (0..good.len()).filter(|&j| j != i && good[i].dtype() == good[j].dtype()) {
                // Both in one buffer: the end of the one is the beginning of the other, or one element is shared, or they begin together.
                let (n, m) = (good[i].len(), good[j].len());
                let whole = fresh(&device, good[i].dtype(), &[n + m]);
                let at = |offset: usize, view: &View| View { buffer: whole.buffer.clone(), offset, shape: view.shape };
                let written = writes.contains(&names[i]) || writes.contains(&names[j]);
                let in_place = ["add", "scale", "clip"].contains(&op.name()) && names[i] != "square" && names[j] != "square";
                for (offset, allowed) in [(n, true), (n - 1, !written || (in_place && n == 1)), (0, !written || in_place)] {
                    let mut views = good.clone();
                    (views[i], views[j]) = (at(0, &good[i]), at(offset, &good[j]));
                    let op = spec.op(&views);
                    assert_eq!(op.check().is_ok(), allowed, "{}: {} at 0, {} at {offset} of {n}", op.name(), names[i], names[j]);
                }
            }
        }
    }
    // In place, but not all of it: y begins where x does and is shorter, which the shapes refuse too, so the text tells.
    let x = fresh(&device, Dtype::F32, &[4]);
    let short = View { shape: Shape::new(&[3]).unwrap(), ..x.clone() };
    assert!(text(&Op::Scale { x, y: short, factor: 2.0 }).contains("overlaps"));
}

#[test]
fn views_overlap_where_they_share_an_element_of_one_buffer() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    let whole = fresh(&device, Dtype::F32, &[10]);
    let view = |offset: usize, n: usize| View { offset, shape: Shape::new(&[n]).unwrap(), ..whole.clone() };
    for (a, b, overlap) in [
        (view(0, 5), view(5, 5), false),
        (view(0, 6), view(5, 5), true),
        (view(2, 1), view(2, 1), true),
        (view(0, 10), view(3, 2), true),
        (view(3, 0), view(0, 10), false),
    ] {
        assert_eq!((a.overlaps(&b), b.overlaps(&a)), (overlap, overlap));
    }
    let elsewhere = View { buffer: fresh(&device, Dtype::F32, &[10]).buffer, ..view(0, 5) };
    assert!(!view(0, 5).overlaps(&elsewhere) && !view(0, 5).identical(&elsewhere));
    assert!(view(1, 5).identical(&view(1, 5)) && !view(1, 5).identical(&view(2, 5)) && !view(1, 5).identical(&view(1, 4)));
}

/// Arithmetic by hand, for 3 x 5 elements: the plan's figures are sums of these.
#[test]
fn the_costs_are_these() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    let work = chunks(15);
    assert_eq!(work, 1);
    let f = 4;
    let want = [
        // x 2x3, w 5x3, b 5, y 2x5; an fma is two.
        (2 * 2 * 3 * 5 + 10, f * (6 + 15 + 5 + 10)),
        (2 * 2 * 3 * 5, f * (10 + 15 + 6)),
        (2 * 2 * 3 * 5, f * (10 + 6 + 15)),
        (10, f * (10 + 5)),
        (15, f * 30),
        (15, f * 45),
        (24 * 15, f * 30),
        (26 * 15, f * 45),
        (36 * 15, f * 30),
        (27 * 15, f * 45),
        (3 * 15, f * (30 + 2)),
        (2 * 15, f * (30 + 1 + 15)),
        (34 * 15, f * (30 + 2)),
        (26 * 15, f * (30 + 1 + 15)),
        (15, f * (15 + 2)),
        (2 * 15, f * (15 + 2)),
        (15, f * (15 + 1 + 15)),
        (0, f * 16),
        (15, f * 45),
        (15, f * 30),
        (0, f * 15),
        (0, f * 30),
        // Two rows of 5, read and written, and two entries of the order.
        (0, 10 * (4 + 4) + 2 * 4),
        (0, f * 2),
        // One entry of 5, read and written, and the clock.
        (0, f * (5 + 2 + 5)),
        (2 * 15, f * (2 + 15)),
        (14 * 15, 28 * 15),
    ];
    for (spec, (flops, bytes)) in specs().into_iter().zip(want) {
        let cost = spec.op(&views(&spec, &device)).cost();
        assert_eq!(cost, Cost { flops, bytes }, "{}", spec.name());
    }
    assert_eq!([0, 1, 4095, 4096, 4097, 8192].map(chunks), [1, 1, 1, 1, 2, 2]);
}
