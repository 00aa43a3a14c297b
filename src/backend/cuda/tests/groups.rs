//! Groups against the list: a compiled list leaves the bits that its ops leave one by one.

use super::super::plan::{Planned, line, takes};
use super::super::standin::StandIn;
use super::{FACTS, TINY, build, cpu};
use crate::Device;
use crate::backend::lists::{Make, chains, difference, ends, gradients, layers, maker, network, random, step};
use crate::device::View;
use crate::fuse::{Group, groups};
use crate::op::{Op, Term};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Compares lists on this device, and gives the launches that were seen. Those that carry something from step to step
/// run as often as one of `steps` says.
pub(super) fn lists_leave_the_bits_of_single_ops(gpu: &Device, steps: [usize; 3]) -> Vec<String> {
    let mut seen = Vec::new();
    let short = [1, 2, 3];
    let lists: [(&Make, u64, [usize; 3]); 6] = [
        (&layers, 60, short),
        (&chains, 12, short),
        (&gradients, 12, short),
        (&ends, 3, steps),
        (&network, 40, steps),
        (&random, 150, steps),
    ];
    for (make, count, steps) in lists {
        for seed in 0..count {
            let (differs, plan) = difference(gpu, make, seed, steps[seed as usize % 3]);
            assert_eq!(differs, None, "{plan}\n{:#?}", make(gpu, seed));
            seen.extend(plan.split_whitespace().map(str::to_string));
        }
    }
    seen.sort();
    seen.dedup();
    seen
}

#[test]
fn groups_leave_the_bits_of_single_ops() {
    let Some(library) = build::build() else { return };
    let seen = lists_leave_the_bits_of_single_ops(&Device::cuda_standin(&library).unwrap(), [1, 2, 3]);
    let of_groups = ["layer", "layer_dx"].iter().flat_map(|stem| ["small", "long", "large"].map(|kind| format!("{stem}_{kind}")));
    for name in of_groups.chain(["chain", "weights", "end", "adam_each"].map(str::to_string)) {
        assert!(seen.contains(&name), "no list launched {name}: {seen:?}");
    }
}

/// On a GPU that few tiles fill, what follows a large product is in its launch too.
#[test]
fn tails_of_large_products_leave_the_bits_of_single_ops() {
    let Some(library) = build::build() else { return };
    let gpu = Device::new(Arc::new(StandIn::of(&library, TINY).unwrap()), "a small GPU");
    let mut with_tail = Vec::new();
    for seed in 0..100 {
        let (differs, plan) = difference(&gpu, &layers, seed, 1);
        assert_eq!(differs, None, "{plan}\n{:#?}", layers(&gpu, seed));
        with_tail.extend(plan.strip_prefix("1 launches a step: ").map(|name| name.trim_end().to_string()));
    }
    for name in ["dense", "dense_dx"].iter().flat_map(|stem| ["many", "some", "pairs", "halves"].map(|kind| format!("{stem}_{kind}"))) {
        assert!(with_tail.contains(&name), "no list launched {name}: {with_tail:?}");
    }
    let faults: [Fault; 4] = [
        ("tail.cuh", "n == first ? given[e] : product[e]", "n != first ? given[e] : product[e]"),
        ("tail.cuh", "write_four(stage.y, at, last, count, whole);", "write_four(stage.y, at, product, count, whole);"),
        ("block.cuh", "ask(given[AHEAD - 1], q + AHEAD);", "ask(given[AHEAD - 1], q + 1);"),
        ("block.cuh", "v[e] = v[e] + bias[least(n + e, N - 1)];", "v[e] = v[e] + bias[n];"),
    ];
    for fault in faults {
        let Some(library) = changed(&[fault]) else { return };
        let gpu = Device::new(Arc::new(StandIn::of(&library, TINY).unwrap()), "a small GPU with a fault");
        assert!((0..60).any(|seed| difference(&gpu, &layers, seed, 1).0.is_some()), "{fault:?}: no list shows it");
    }
}

/// A file, a text in it, and another in its place.
type Fault = (&'static str, &'static str, &'static str);

/// The stand-in with these faults in its kernels.
fn changed(set: &[Fault]) -> Option<PathBuf> {
    let folder = build::scratch().join(format!("groups-{}", build::unique()));
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(build::root().join("kernels")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        for (_, from, to) in set.iter().filter(|(at, ..)| *at == name) {
            assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
            text = text.replace(from, to);
        }
        fs::write(folder.join(name), text).unwrap();
    }
    let library = build::compile("groups", "so", &build::library_flags("-O1"), "", &[&folder]);
    fs::remove_dir_all(&folder).unwrap();
    library
}

/// Faults in the kernels of groups, by the lists that must show them: one of each kind in a set.
const FAULTS: [[Fault; 4]; 4] = [
    [
        ("tile.cuh", "total[0] = k + p * FOLD == 0 ? sum : total[0] + sum;", "total[0] = sum + total[0] * 0.5f;"),
        ("chain.cu", "h[(l + 1) % 2][row][n] = last[0];", "h[(l + 1) % 2][row][n] = sum;"),
        ("weights.cu", "block = (((block + dz.x) + dz.y) + dz.z) + dz.w;", "block = block + ((dz.x + dz.y) + (dz.z + dz.w));"),
        ("end.cu", "now.step % stores.of[n].T", "now.cursor % stores.of[n].T"),
    ],
    [
        ("tail.cuh", "stage.x == nullptr ? product[i]", "stage.x == nullptr ? product[i] + last[i]"),
        ("chain.cu", "const float* a = h[l % 2][row];", "const float* a = h[l % 2][0];"),
        ("weights.cu", "adam.update(of.of_w.p[at], dw[j], m[j], v[j]);", "adam.update(of.of_w.p[at], dw[0], m[j], v[j]);"),
        ("end.cu", "stores.of[n].x[0]", "stores.of[0].x[0]"),
    ],
    [
        (
            "layer.cu",
            "if (bias != nullptr) total[i] = total[i] + added[i];",
            "if (bias != nullptr) total[i] = total[i] + (added[i] + added[i]);",
        ),
        ("chain.cu", "for (; k < K; ++k, w += width)", "for (; k + 1 < K; ++k, w += width)"),
        ("weights.cu", "bias = done <= FOLD ? block : bias + block;", "bias = bias + block * (done <= FOLD ? 1.0f : 2.0f);"),
        ("end.cu", "now.move(clock, rows, period)", "now.move(clock, rows + 1, period)"),
    ],
    [
        ("tail.cuh", "n == 0 ? given[0][i] : n == 1 ? given[1][i]", "n <= 1 ? given[0][i]"),
        ("chain.cu", "line * (length + 1) + four", "line * (length + 1) + four % 2"),
        ("weights.cu", "blockIdx.x >= all.first[next].block", "blockIdx.x > all.first[next].block"),
        ("end.cu", "if (n < stores.count)", "if (n + 1 < stores.count)"),
    ],
];

#[test]
fn faults_in_groups_are_caught_by_their_own_lists() {
    let faulty = |set: &[Fault]| Some(Device::cuda_standin(&changed(set)?).unwrap());
    let devices: Option<Vec<Device>> = std::thread::scope(|scope| {
        let compiled: Vec<_> = FAULTS.iter().map(|set| scope.spawn(|| faulty(set))).collect();
        compiled.into_iter().map(|c| c.join().unwrap()).collect()
    });
    let Some(devices) = devices else { return };
    let lists: [&Make; 4] = [&layers, &chains, &gradients, &ends];
    for (device, set) in devices.iter().zip(&FAULTS) {
        for (make, (file, from, _)) in lists.iter().zip(set) {
            let caught = (0..40).any(|seed| difference(device, make, seed, 2).0.is_some());
            assert!(caught, "{file}: `{from}` was changed, and no list shows it");
        }
    }
}

/// Blocks of one launch run side by side, so that none may read what another writes.
#[test]
fn ops_that_feed_one_another_are_not_one_launch() {
    let d = cpu();
    let mut make = maker(&d, 1);
    let (dz, x, w) = (make.view(&[2, 4]), make.view(&[2, 8]), make.view(&[4, 8]));
    let of_each = |ops: &[Op]| groups(ops, &|group| takes(group, &FACTS)).step.iter().map(|g| g.ops().len()).collect::<Vec<_>>();
    // The second gradient's rows are the first one's weights.
    let first = Op::DenseDw { dz: dz.clone(), x: x.clone(), dw: w.clone() };
    let apart = Op::DenseDw { dz: make.view(&[4, 3]), x: make.view(&[4, 8]), dw: make.view(&[3, 8]) };
    let feeds = Op::DenseDw { dz: make.view(&[4, 3]), x: w.clone(), dw: make.view(&[3, 8]) };
    assert_eq!(of_each(&[first.clone(), apart]), [2]);
    assert_eq!(of_each(&[first, feeds]), [1, 1]);
    // The second layer's weights are the first one's result.
    let (h, y) = (make.view(&[2, 4]), make.view(&[2, 2]));
    let below = Op::Dense { x, w: make.view(&[4, 8]), b: None, y: h.clone() };
    let above = |w: View| Op::Dense { x: h.clone(), w, b: None, y: y.clone() };
    assert_eq!(of_each(&[below.clone(), above(make.view(&[2, 4]))]), [2]);
    assert_eq!(of_each(&[below.clone(), above(h.clone())]), [1, 1]);
    // A loss whose target is the product itself, which is not in memory yet.
    let (other, dy) = (make.view(&[2, 4]), make.view(&[1]));
    let target = |of: &View| Op::ReduceGrad {
        f: Term::Mse,
        x: Some(h.clone()),
        other: Some(of.clone()),
        dy: dy.clone(),
        dx: dz.clone(),
        scale: 1.0,
    };
    assert_eq!(of_each(&[below.clone(), target(&other)]), [2]);
    assert_eq!(of_each(&[below, target(&h)]), [1, 1]);
}

#[test]
fn the_articles_step_is_eleven_launches() {
    let planned = Planned::new(&step(&cpu(), &[784, 128, 64, 32], 128, 4096).unwrap(), &FACTS);
    assert_eq!(planned.once.iter().map(|l| l.entry.as_str()).collect::<Vec<_>>(), ["fill_each"], "the seed of the gradients");
    let forward = "gather_bytes_each layer_long chain layer_large mse_chunks total";
    assert_eq!(line(planned.step.iter()), format!("11 launches a step: {forward} layer_dx_long chain weights weights end\n"));
}

/// Most products of the wide network are large; only gradients and updates have launches of their own behind them.
#[test]
fn what_follows_the_products_of_a_wide_network_is_in_their_launches() {
    let planned = Planned::new(&step(&cpu(), &[784, 1000, 500, 250, 30], 1000, 4096).unwrap(), &FACTS);
    let names: Vec<&str> = planned.step.iter().map(|launch| launch.entry.as_str()).collect();
    let behind = ["relu_each", "relu_grad_each", "sigmoid_each", "sigmoid_grad_each", "mse_grad_each"];
    assert!(names.len() == 39 && !names.iter().any(|name| behind.contains(name)), "{} launches: {names:?}", names.len());
}

#[test]
fn what_no_device_takes_stays_a_list() {
    let ops = step(&cpu(), &[784, 128, 64, 32], 128, 4096).unwrap();
    let alone = groups(&ops, &|_| false);
    assert!(alone.step.iter().all(|group| matches!(group, Group::One(_))));
    // Adam is divided at the gradients, and the fill with 1 is done once.
    assert_eq!(alone.step.len() + 1, ops.len() + 11);
}
