//! Faults planted in the WGSL texts, each of which the table of all ops must catch; and one that no bound can show.

use super::super::product::{self, After, Tile};
use super::super::shader::{Pattern, all};
use super::{adapter, kernels, opened};
use crate::Device;
use crate::verify::{Select, run, run_each};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Fault {
    what: &'static str,
    /// The shader's file; what it includes counts as its text.
    stem: &'static str,
    /// Occurs once in the text as it is compiled, or, for a fault of `variants`, not at all where nothing is merged.
    from: &'static str,
    to: &'static str,
    variants: bool,
    /// Whether it is in the text for GPUs, which an adapter that is a program on a CPU does not run by itself.
    gpu: bool,
    /// The ops that it changes: rows of each of them must fail.
    ops: &'static [&'static str],
}

const fn fault(what: &'static str, stem: &'static str, [from, to]: [&'static str; 2], ops: &'static [&'static str]) -> Fault {
    Fault { what, stem, from, to, variants: false, gpu: false, ops }
}

const PRODUCTS: &[&str] = &["dense", "dense_dx", "dense_dw"];

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    Fault { gpu: true, ..fault("the last row is not stored", "dense", ["if (row < u.rows) {", "if (row + 1u < u.rows) {"], PRODUCTS) },
    fault("a row in place of its neighbour", "dense", ["min(row + 3u,", "min(row + 2u,"], PRODUCTS),
    fault("the last term of a block is lost", "dense", ["min(k0 + BLOCK, u.terms)", "min(k0 + BLOCK - 1u, u.terms)"], PRODUCTS),
    fault("a column in place of its neighbour", "dense", ["u.b_at + min(column + 1u,", "u.b_at + min(column,"], PRODUCTS),
    Fault { gpu: true, ..fault("terms past the end are read", "dense", ["select(vec4<f32>(), values, term < u.terms)", "values"], PRODUCTS) },
    Fault { gpu: true, ..fault("a term of each tile is lost", "dense", ["t < TERMS; t++", "t < TERMS - 1u; t++"], PRODUCTS) },
    fault("the last row is not added", "dense_db", ["r < min(r0 + 256u, u.rows)", "r < min(r0 + 256u, u.rows - 1u)"], &["dense_db"]),
    fault("the order does not begin again", "gather", ["(clock[u.clock_at] % u.entries + e / u.columns) % u.entries", "min(clock[u.clock_at] + e / u.columns, u.entries - 1u)"], &["gather"]),
    fault("bytes are rounded down", "gather", ["2u * (scaled - 255u * down) > 255u", "false"], &["gather"]),
    fault("indices past the data are not clamped", "gather", ["min(order[u.order_at + entry], u.rows - 1u)", "order[u.order_at + entry]"], &["gather"]),
    Fault { variants: true, ..fault("a merged operand is read at the other's offset", "add", ["a[u.b_at + i]", "a[u.a_at + i]"], &["add"]) },
    Fault { variants: true, ..fault("a merged result is written at the operand's offset", "scale", ["x[u.y_at + i] =", "x[u.x_at + i] ="], &["scale"]) },
    fault("relu loses NaN", "relu", ["magnitude > 0x7f800000u ||", "false ||"], &["relu", "relu_grad"]),
    fault("relu'(0) = 1", "relu", ["&& bits >= 0x00800000u", ""], &["relu_grad"]),
    fault("exp does not end at -104", "sigmoid", ["select(argument, -104.0, argument < -104.0)", "argument"], &["sigmoid", "sigmoid_grad"]),
    fault("a coefficient of exp", "sigmoid", ["0x1.5558f4p-5f", "0x1.5758f4p-5f"], &["sigmoid", "sigmoid_grad"]),
    fault("the derivative's sign", "sigmoid", ["select(dy * (e", "select(-dy * (e"], &["sigmoid_grad"]),
    fault("the derivative's sign", "abs", ["^ (bits & 0x80000000u)", ""], &["abs_grad"]),
    fault("exp ends at 80", "exp", ["select(x, 89.0, x > 89.0)", "select(x, 80.0, x > 80.0)"], &["exp", "exp_grad"]),
    fault("the bounds are exchanged", "clamp", ["u.lo, own < u.lo", "u.hi, own < u.lo"], &["clamp"]),
    fault("a bound lies outside", "clamp_grad", ["own < u.lo", "own <= u.lo"], &["clamp_grad"]),
    fault("the operands are exchanged", "axpy", ["fma(b[u.b_at + i], u.factor, a[u.a_at + i])", "fma(a[u.a_at + i], u.factor, b[u.b_at + i])"], &["axpy"]),
    fault("a sum in place of a product", "mul", ["return a * b", "return a + b"], &["mul"]),
    fault("the sign counts", "abs_sum", ["lane + abs(x)", "lane + x"], &["abs_sum"]),
    fault("logvar is added", "kl_terms", ["- logvar) - 1.0", "+ logvar) - 1.0"], &["kl_terms"]),
    fault("the one is forgotten", "kl", ["s * (exponential(logvar) - 1.0)", "s * exponential(logvar)"], &["kl_grad"]),
    fault("past the table, its first row", "scale_by", ["min(clock[u.clock_at + 1u], u.rows - 1u)", "(clock[u.clock_at + 1u] % u.rows)"], &["scale_by"]),
    fault("a carry of Philox is lost", "uniform", ["+ (carry >> 16u)", ""], &["uniform"]),
    fault("the cursor in place of the step", "uniform", ["clock[u.clock_at + 1u]", "clock[u.clock_at]"], &["uniform"]),
    fault("a level of the tree is missing", "sum", ["s > 0u", "s > 1u"], &["sum"]),
    fault("a level of the tree is missing", "mse", ["s > 0u", "s > 1u"], &["mse"]),
    fault("the derivative's sign", "mse", ["return s * (", "return -s * ("], &["mse_grad"]),
    fault("past the table, its first row", "adam", ["min(clock[u.clock_at + 1u], u.steps - 1u)", "(clock[u.clock_at + 1u] % u.steps)"], &["adam"]),
    fault("eps under the root", "adam", ["fma(sqrt(second), table[row + 2u], u.eps)", "sqrt(fma(second, table[row + 2u] * table[row + 2u], u.eps))"], &["adam"]),
    fault("the step stands still", "advance", ["clock[u.clock_at + 1u] + 1u", "clock[u.clock_at + 1u]"], &["advance"]),
    fault("the cursor in place of the step", "store", ["clock[u.clock_at + 1u] % u.entries", "clock[u.clock_at] % u.entries"], &["store"]),
    // What is written past a binding goes nowhere, so this shows where operands are merged and another lies behind this
    // one.
    fault("an element too many", "adam", ["if (i < u.n)", "if (i <= u.n)"], &["adam"]),
    fault("the last element is missing", "fill", ["if (i < u.n)", "if (i + 1u < u.n)"], &["fill"]),
    fault("what is dropped is kept", "mask", ["words[j] < u.keep", "words[j] >= u.keep"], &["mask"]),
    fault("the sine in place of the cosine", "normal", ["select(c, s, odd)", "select(s, c, odd)"], &["normal"]),
    fault("columns in place of rows", "rows", ["% u.columns", "/ u.columns"], &["rows"]),
    fault("the wanted activity in place of the rest", "rho_kl", ["rest * logarithm", "rho * logarithm"], &["rho_kl"]),
    fault("the highest index first", "cut", ["let from_end = count - 1u - i;", "let from_end = i;"], &["cut"]),
    fault("the index does not begin at the cursor", "merge_topk", ["clock[u.clock_at] + i", "clock[u.clock_at + 1u] + i"], &["merge_topk"]),
    fault("NaN is the smallest", "select", ["select(ordered, 0xffffffffu,", "select(ordered, 0u,"], &["select"]),
    fault("subnormal numbers are on", "idle", [">= 0x00800000u", "> 0u"], &["idle"]),
    fault("dead from one row later on", "dead", [">= u.least", "> u.least"], &["dead"]),
    fault("labels past the classes are the first", "xent", ["min(label[u.label_at + r], u.columns - 1u)", "select(label[u.label_at + r], 0u, label[u.label_at + r] >= u.columns)"], &["xent"]),
    fault("the softmax alone", "xent_grad", ["select(0.0, 1.0, ", "select(0.0, 0.0, "], &["xent_grad"]),
    fault("the scale is forgotten", "total", ["total * u.scale", "total"], &["mse", "bce"]),
];

/// Invisible to every bound: it holds for any order of the terms.
const UNFOLDED: [Fault; 2] = [
    fault("products are not folded every 256 terms", "dense", ["const BLOCK: u32 = 256u", "const BLOCK: u32 = 1024u"], PRODUCTS),
    Fault { gpu: true, ..fault("nor in tiles", "dense", ["k0 % 256u == 256u - TERMS ||", "false ||"], PRODUCTS) },
];

/// As invisible: the bound of a sum holds for any order.
const NEIGHBOURS: Fault = fault("lanes take neighbours", "sum", ["256u * j + lane", "16u * lane + j"], &["sum"]);

/// An adapter with faults, and how often each of them was compiled.
fn faulty(set: &[&'static Fault]) -> (Device, Vec<Arc<AtomicUsize>>) {
    let counts: Vec<_> = set.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let planted: Vec<_> = set.iter().copied().zip(counts.clone()).collect();
    for fault in set {
        let dense = product::shader(&After::DENSE, if fault.gpu { Tile::WHOLE } else { Tile::SOFTWARE });
        let texts = all().iter().chain([&dense]).filter(|s| s.stem == fault.stem).map(|s| s.variant(&Pattern::default()));
        let occurs = texts.map(|text| text.matches(fault.from).count()).max();
        assert_eq!(occurs, Some(usize::from(!fault.variants)), "{}: `{}` for the fault `{}`", fault.stem, fault.from, fault.what);
    }
    let mut backend = opened(set.iter().any(|fault| fault.gpu));
    // The faults are those of the tile that goes through all terms.
    Arc::get_mut(&mut backend.opened).expect("nobody has it yet").facts.few = usize::MAX;
    let plant = move |stem: &str, mut text: String| {
        for (fault, count) in planted.iter().filter(|(f, _)| f.stem == stem) {
            count.fetch_add(text.matches(fault.from).count(), Ordering::Relaxed);
            text = text.replace(fault.from, fault.to);
        }
        text
    };
    assert!(backend.opened.plant.set(Box::new(plant)).is_ok());
    (Device::new(Arc::new(backend), "asked for"), counts)
}

#[test]
fn every_planted_fault_is_caught_by_the_rows_of_its_ops_and_by_no_other() {
    if adapter("every_planted_fault_is_caught_by_the_rows_of_its_ops_and_by_no_other").is_none() {
        return;
    }
    // The first set has no fault; in the others no file has two, nor any op.
    let mut sets: Vec<Vec<&Fault>> = vec![vec![], vec![]];
    for fault in FAULTS {
        let apart = |f: &&Fault| f.stem != fault.stem;
        match sets.iter_mut().skip(1).find(|set| set.iter().all(apart)) {
            Some(set) => set.push(fault),
            None => sets.push(vec![fault]),
        }
    }
    let (devices, counts): (Vec<Device>, Vec<_>) = sets.iter().map(|set| faulty(set)).unzip();
    let reports = run_each(&devices, &Select::quick()).unwrap();
    let mut wrong = Vec::new();
    for ((device, set), report) in devices.iter().zip(&sets).zip(reports) {
        for mut row in report.rows {
            let Some(fault) = set.iter().find(|f| f.ops.contains(&row.op)) else {
                if row.failed > 0 {
                    wrong.push(format!("{} fails without a fault: {:?}", row.op, row.failures));
                }
                continue;
            };
            if row.failed == 0 {
                row = run(device, &Select { op: Some(row.op.into()), ..Select::default() }).unwrap().rows.remove(0);
            }
            println!("{:12} {:3} of {:3} rows fail: {}", row.op, row.failed, row.cases, fault.what);
            if row.failed == 0 {
                wrong.push(format!("{}: `{}` passes all {} rows", row.op, fault.what, row.cases));
            }
            // It is the arithmetic that is wrong: a text that does not compile would fail in every row.
            if let Some(failure) = row.failures.iter().find(|f| f.value.is_none() && f.problem.contains("wgpu:")) {
                wrong.push(format!("{}: `{}`: {failure:?}", row.op, fault.what));
            }
        }
    }
    for (fault, count) in sets.concat().iter().zip(counts.concat()) {
        if count.load(Ordering::Relaxed) == 0 {
            wrong.push(format!("{}: `{}` was not planted", fault.stem, fault.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the bounds can't see, `products_add_up_blocks_of_256_terms` does.
#[test]
fn products_that_are_not_folded_are_within_the_bounds_but_are_caught() {
    if adapter("products_that_are_not_folded_are_within_the_bounds_but_are_caught").is_none() {
        return;
    }
    for fault in &UNFOLDED {
        let (device, counts) = faulty(&[fault]);
        let report = run(&device, &Select { op: Some("dense".into()), ..Select::default() }).unwrap();
        assert_eq!(report.failed(), 0, "a row shows it: then it belongs to the faults above: {report}");
        for op in fault.ops {
            assert!(catch_unwind(AssertUnwindSafe(|| kernels::blocks_of_256_terms(&device, op))).is_err(), "{op}");
        }
        kernels::blocks_of_256_terms(&device, "dense_db");
        assert!(counts[0].load(Ordering::Relaxed) >= 3);
    }
}

/// What the bounds can't see, `sums_keep_their_order` does.
#[test]
fn sums_in_another_order_are_within_the_bounds_but_are_caught() {
    if adapter("sums_in_another_order_are_within_the_bounds_but_are_caught").is_none() {
        return;
    }
    let (device, counts) = faulty(&[&NEIGHBOURS]);
    let report = run(&device, &Select { op: Some("sum".into()), ..Select::default() }).unwrap();
    assert_eq!(report.failed(), 0, "a row shows it: then it belongs to the faults above: {report}");
    assert!(catch_unwind(AssertUnwindSafe(|| kernels::sum_of_reals(&device))).is_err());
    assert!(counts[0].load(Ordering::Relaxed) >= 1);
}
