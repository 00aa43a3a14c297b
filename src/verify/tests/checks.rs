//! `Op::check` is tested: backends rely on what it proves, so whatever is wrong with one operand must be refused.

use crate::device::View;
use crate::op::{Cost, Op, Role, chunks};
use crate::verify::{ops, row};
use crate::{Device, Dtype, Level, Shape};

/// One of each op of the table, of sizes that differ from each other where they may.
fn all() -> Vec<Op<Shape>> {
    let mut all: Vec<_> = row::names(&row::all()).into_iter().map(of).collect();
    // The first, without its bias.
    let Op::Dense { x, w, y, .. } = all[0].clone() else { panic!("the table begins with dense") };
    all.push(Op::Dense { x, w, b: None, y });
    all
}

/// The op of that name.
fn of(name: &str) -> Op<Shape> {
    let dims: &[usize] = match name {
        "dense" | "dense_dx" | "dense_dw" => &[2, 3, 5],
        "dense_db" | "rows" | "cut" | "merge_topk" | "select" | "idle" | "dead" => &[2, 5],
        "gather" => &[7, 5, 2],
        "store" => &[5],
        _ => &[3, 5],
    };
    ops::sized(name, dims).unwrap().unwrap().0
}

/// Views in buffers of their own, in the order of the op's operands. A data set is of floats.
fn views(op: &Op<Shape>, device: &Device) -> Vec<View> {
    op.form().operands().map(|o| fresh(device, o.types[0], o.of.dims())).collect()
}

/// The op on those views.
fn on(op: &Op<Shape>, views: &[View]) -> Op {
    let mut views = views.iter();
    op.map(|_| views.next().unwrap().clone())
}

fn fresh(device: &Device, dtype: Dtype, dims: &[usize]) -> View {
    device.alloc(dtype, Shape::new(dims).unwrap()).unwrap()
}

fn names(op: &Op<Shape>) -> Vec<&'static str> {
    op.form().operands().map(|o| o.name).collect()
}

fn text(op: &Op) -> String {
    op.check().expect_err(&format!("this should have been refused: {op:?}")).to_string()
}

#[test]
fn an_operand_that_is_elsewhere_or_of_another_type_or_past_its_buffer_is_refused() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    let other = Device::cpu_with(1, Level::Portable).unwrap();
    for spec in all() {
        let good = views(&spec, &device);
        let op = on(&spec, &good);
        op.check().unwrap();
        for (i, name) in names(&spec).into_iter().enumerate() {
            let with = |view: View| {
                let mut views = good.clone();
                views[i] = view;
                on(&spec, &views)
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
    for spec in all() {
        let good = views(&spec, &device);
        let op = on(&spec, &good);
        for (i, name) in names(&spec).into_iter().enumerate() {
            let with = |dims: &[usize]| {
                let mut views = good.clone();
                views[i] = fresh(&device, good[i].dtype(), dims);
                on(&spec, &views)
            };
            let dims = good[i].shape.dims();
            for at in 0..dims.len() {
                let free = match (op.name(), name) {
                    ("fill" | "uniform" | "normal", "y")
                    | ("sum_grad", "dx")
                    | ("scale_by", "table")
                    | ("gather", "order")
                    | ("sum" | "square_sum" | "abs_sum", "x") => true,
                    ("cut" | "merge_topk" | "xent", "x" | "z") => at == 1,
                    ("dense_db", "dz")
                    | ("rows", "y")
                    | ("idle", "code")
                    | ("gather", "data" | "y")
                    | ("adam", "table")
                    | ("store", "ring") => at == 0,
                    _ => false,
                };
                for by in [-1, 1] {
                    let mut dims = dims.to_vec();
                    dims[at] = dims[at].checked_add_signed(by).unwrap();
                    // Nothing to take from, or nowhere to put it.
                    let empty = dims[at] == 0 && ["order", "ring", "data", "table"].contains(&name);
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
    let with = |change: &dyn Fn(&mut Vec<View>), spec: Op<Shape>| {
        let mut views = views(&spec, &device);
        change(&mut views);
        on(&spec, &views)
    };
    let gather = |data: usize, order: usize, batch: usize| {
        let shaped = |n: usize| fresh(&device, Dtype::F32, &[n, 5]);
        let change = |v: &mut Vec<View>| {
            (v[0], v[1], v[3]) = (shaped(data), fresh(&device, Dtype::U32, &[order]), shaped(batch));
        };
        with(&change, of("gather"))
    };
    gather(0, 0, 0).check().unwrap();
    gather(1, 1, 2).check().unwrap();
    assert!(text(&gather(0, 1, 2)).contains("2 rows wanted from 0 by an order of 1"));
    assert!(text(&gather(1, 0, 2)).contains("2 rows wanted from 1 by an order of 0"));
    let none = |at: usize, dims: &[usize], spec| with(&|v| v[at] = fresh(&device, v[at].dtype(), dims), spec);
    assert!(text(&none(2, &[0, 5], of("store"))).contains("ring has 0 elements where entries of 5 are wanted"));
    assert!(text(&none(4, &[0, 3], of("adam"))).contains("steps x 4 is needed"));
    for (name, operands) in [("sum", 1), ("mse", 2)] {
        let longer = |n: usize| with(&|v| v[..operands].fill(fresh(&device, Dtype::F32, &[n])), of(name));
        longer(4096).check().unwrap();
        assert!(text(&longer(4097)).contains("parts has 1 elements where 2 are needed"));
    }
    let half = 1 << 31;
    for (rows, period, good) in [(0, 1, true), (half, half, true), (1, 0, false), (half + 1, half, false), (1, half + 1, false)] {
        let op = Op::Advance { clock: fresh(&device, Dtype::U32, &[2]), rows, period };
        assert_eq!(op.check().is_ok(), good, "{rows} rows in a period of {period}");
    }
    for [lo, hi] in [[1.0, 0.5], [f32::NAN, 1.0], [0.0, f32::NAN]] {
        let [x, y] = [(); 2].map(|()| fresh(&device, Dtype::F32, &[3]));
        for op in [Op::Clamp { x: x.clone(), y: y.clone(), lo, hi }, Op::ClampGrad { x: x.clone(), dy: x.clone(), dx: y.clone(), lo, hi }] {
            assert!(text(&op).contains(&format!("the bounds are {lo} and {hi}")));
        }
    }
    let Op::ScaleBy { x, table, clock, y, .. } = of("scale_by") else { panic!("this is not scale_by") };
    let past = Op::ScaleBy { x, table, clock, y, column: 2 };
    assert!(text(&on(&past, &views(&past, &device))).contains("column 2 of a table of 2x2"));
    assert!(text(&none(1, &[0, 2], of("scale_by"))).contains("column 0 of a table of 0x2"));
    let nothing = |v: &mut Vec<View>| v[..2].fill(fresh(&device, Dtype::F32, &[0, 5]));
    assert!(text(&with(&nothing, of("mse"))).contains("a mean over no elements"));
    // With a second operand, but no mean.
    with(&nothing, of("kl")).check().unwrap();
}

#[test]
fn what_is_written_overlaps_nothing_but_itself() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    for spec in all() {
        let good = views(&spec, &device);
        let op = on(&spec, &good);
        let names = names(&spec);
        let writes: Vec<&str> = op.form().operands().filter(|o| o.role != Role::Read).map(|o| o.name).collect();
        let in_place = op.form().in_place;
        for i in 0..good.len() {
            for j in (0..good.len()).filter(|&j| j != i && good[i].dtype() == good[j].dtype()) {
                // Both in one buffer: the end of the one is the beginning of the other, or one element is shared, or
                // they begin together.
                let (n, m) = (good[i].len(), good[j].len());
                let whole = fresh(&device, good[i].dtype(), &[n + m]);
                let at = |offset: usize, view: &View| View { buffer: whole.buffer.clone(), offset, shape: view.shape };
                let written = writes.contains(&names[i]) || writes.contains(&names[j]);
                let in_place = in_place && names[i] != "square" && names[j] != "square";
                for (offset, allowed) in [(n, true), (n - 1, !written || (in_place && n == 1)), (0, !written || in_place)] {
                    let mut views = good.clone();
                    (views[i], views[j]) = (at(0, &good[i]), at(offset, &good[j]));
                    let op = on(&spec, &views);
                    assert_eq!(op.check().is_ok(), allowed, "{}: {} at 0, {} at {offset} of {n}", op.name(), names[i], names[j]);
                }
            }
        }
    }
    // In place, but not in full: y begins where x does and is shorter. The shapes do not fit either, so the text
    // decides.
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
        ("dense", 2 * 2 * 3 * 5 + 10, f * (6 + 15 + 5 + 10)),
        ("dense_dx", 2 * 2 * 3 * 5, f * (10 + 15 + 6)),
        ("dense_dw", 2 * 2 * 3 * 5, f * (10 + 6 + 15)),
        ("dense_db", 10, f * (10 + 5)),
        ("rows", 0, f * (10 + 5)),
        // Ten numbers in two rows, and a key and an index for each of these.
        ("cut", 0, f * (10 + 4)),
        // The cursor and the step; the largest number of each row and its index, read and written.
        ("merge_topk", 0, f * (10 + 2 + 2 * (2 + 2))),
        ("select", 0, f * (10 + 4 + 10 + 10)),
        // Five counters, read and written.
        ("idle", 0, f * (10 + 2 * 5)),
        ("dead", 0, f * (10 + 5 + 10)),
        ("relu", 15, f * 30),
        ("relu_grad", 15, f * 45),
        ("sigmoid", 24 * 15, f * 30),
        ("add", 15, f * 45),
        ("mse", 3 * 15, f * (30 + 2)),
        ("mse_grad", 2 * 15, f * (30 + 1 + 15)),
        ("abs_sum", 2 * 15, f * (15 + 2)),
        ("kl", 26 * 15, f * (30 + 2)),
        // The derivative by logvar depends on it alone.
        ("kl_grad", 23 * 15, f * (15 + 1 + 15)),
        ("kl_terms", 25 * 15, f * 45),
        ("mul", 15, f * 45),
        ("axpy", 2 * 15, f * 45),
        ("clamp", 2 * 15, f * 30),
        ("clamp_grad", 2 * 15, f * 45),
        // z, and the labels, lse and the loss of its rows.
        ("xent", 23 * 15, f * (15 + 3 * 3)),
        ("xent_grad", 23 * 15, f * (15 + 3 * 3 + 15)),
        ("clip", 15, f * (15 + 1 + 15)),
        ("scale", 15, f * 30),
        // A number of the table, and the clock.
        ("scale_by", 15, f * (15 + 1 + 2 + 15)),
        ("fill", 0, f * 15),
        ("copy", 0, f * 30),
        // Two rows of 5, read and written, two entries of the order, and the clock.
        ("gather", 0, 10 * (4 + 4) + f * (2 + 2)),
        // Read and written.
        ("advance", 0, 2 * f * 2),
        // One entry of 5, read and written, and the clock.
        ("store", 0, f * (5 + 2 + 5)),
        ("uniform", 2 * 15, f * (2 + 15)),
        ("normal", 25 * 15, f * (2 + 15)),
        ("mask", 15, f * (15 + 2 + 15)),
        // A row of the table, and the clock.
        ("adam", 14 * 15, 28 * 15 + f * (4 + 2)),
    ];
    for (name, flops, bytes) in want {
        let spec = of(name);
        assert_eq!(on(&spec, &views(&spec, &device)).cost(), Cost { flops, bytes }, "{name}");
    }
    assert_eq!([0, 1, 4095, 4096, 4097, 8192].map(chunks), [1, 1, 1, 1, 2, 2]);
}
