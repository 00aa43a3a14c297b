//! Groups of ops in one launch, and the tiles of GPUs, which an adapter that is a program on a CPU does not choose.

use super::super::bind::{Reach, bind};
use super::super::plan::{Facts, plan, plan_group, takes};
use super::super::product::Tile;
use super::{adapter, floats, only, opened, paper};
use crate::backend::lists::{Make, chains, difference, ends, gradients, layers, network, random, training};
use crate::fuse::{Gradient, Group, groups};
use crate::op::Op;
use crate::verify::{Select, run};
use crate::{Autoencoder, Device, Loss};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// On an adapter that rounds the same everywhere, a compiled list leaves the bits of its ops one by one.
fn lists_leave_the_bits_of_single_ops(device: &Device, lists: &[(&Make, u64)]) -> Vec<String> {
    let mut seen = Vec::new();
    for (make, count) in lists {
        for seed in 0..*count {
            let (differs, plan) = difference(device, *make, seed, 1 + seed as usize % 3);
            assert_eq!(differs, None, "{plan}\n{:#?}", make(device, seed));
            seen.extend(plan.lines().map(str::to_string));
        }
    }
    seen
}

#[test]
fn groups_leave_the_bits_of_single_ops() {
    if adapter("groups_leave_the_bits_of_single_ops").is_none() {
        return;
    }
    let lists: [(&Make, u64); 6] = [(&layers, 24), (&chains, 4), (&gradients, 8), (&ends, 9), (&network, 12), (&random, 40)];
    let seen = lists_leave_the_bits_of_single_ops(&Device::new(Arc::new(opened(false)), "asked for"), &lists);
    for part in [", mse_grad, own ", "dense_dw, dense_db, adam of w, adam of b", "end of 0 sums and 3 stores", "end of 2 sums and 3 stores"]
    {
        assert!(seen.iter().any(|shader| shader.contains(part)), "no list launched {part}: {seen:#?}");
    }
}

/// A text, another in its place, the list that must show it, and whether it is in the text for GPUs.
type Fault = (&'static str, &'static str, &'static Make, bool);

const FAULTS: [Fault; 17] = [
    ("y0[u.y0_at + e] = last;", "y0[u.y0_at + e] = product;", &layers, false),
    ("_grad(product, last)", "_grad(last, last)", &layers, false),
    ("u.scale0 * dy0[u.dy0_at]", "u.scale0", &layers, false),
    ("last = relu_value(last);", "last = relu_value(last + 1.0);", &layers, false),
    ("[u.p_bias_at + row] = next.x;", "[u.p_bias_at + row] = next.y;", &gradients, false),
    ("p[u.p_at + e], sum,", "p[u.p_at + e], 2.0 * sum,", &gradients, false),
    ("a_sum0 = a_sum0 + a0;", "a_sum0 = a_sum0 + 2.0 * a0;", &gradients, false),
    ("1u % 4u, a_total0.y)", "1u % 4u, a_total0.x)", &gradients, true),
    ("step % u.entries0", "(step + 1u) % u.entries0", &ends, false),
    ("clock[u.clock_at + 1u] = step + 1u;", "clock[u.clock_at + 1u] = step;", &ends, false),
    ("total0 * u.scale0", "total0", &ends, false),
    ("[u.p1_at + e], sum,", "[u.p1_at + e], 2.0 * sum,", &gradients, true),
    ("let tile2 = tile1 - u.tiles1;", "let tile2 = tile1;", &gradients, true),
    ("after1(first + slot1_0", "after1(slot1_0", &chains, true),
    ("fma(held[from1_0 + k0 + t]", "fma(held[from1_0 + t]", &chains, true),
    ("let product = sum + bias1[u.bias1_at + column];", "let product = sum;", &chains, true),
    ("next0_1 = weight0(k0 + ", "next0_1 = weight0(", &chains, true),
];

#[test]
fn faults_in_groups_are_caught_by_their_own_lists() {
    if adapter("faults_in_groups_are_caught_by_their_own_lists").is_none() {
        return;
    }
    for (from, to, make, gpu) in FAULTS {
        let (backend, planted) = (opened(gpu), Arc::new(AtomicBool::new(false)));
        let seen = planted.clone();
        // These stand only in the texts of groups: single ops show what is right.
        let plant = move |_: &str, text: String| {
            seen.fetch_or(text.contains(from), Ordering::Relaxed);
            text.replace(from, to)
        };
        assert!(backend.opened.plant.set(Box::new(plant)).is_ok());
        let device = Device::new(Arc::new(backend), "asked for");
        let caught = (0..24).any(|seed| difference(&device, make, seed, 2).0.is_some());
        assert!(planted.load(Ordering::Relaxed) && caught, "`{to}` in place of `{from}`: planted {planted:?}");
    }
}

#[test]
fn the_tiles_of_gpus_are_within_their_bounds_and_their_groups_leave_the_same_bits() {
    if adapter("the_tiles_of_gpus_are_within_their_bounds_and_their_groups_leave_the_same_bits").is_none() {
        return;
    }
    for (tile, name) in [(Tile::WHOLE, "4x4 by 8x8x1"), (Tile::SPLIT, "4x4 by 8x8x4")] {
        let device = only(tile, None);
        for op in ["dense", "dense_dx", "dense_dw"] {
            // A fiftieth of the rows have three quarters of the work; sizes at the edges have a test of their own.
            let most_work = Some(1 << 20);
            let report = run(&device, &Select { op: Some(op.into()), most_work, ..Select::default() }).unwrap();
            assert_eq!(report.failed(), 0, "{report}");
        }
        let seen = lists_leave_the_bits_of_single_ops(&device, &[(&layers, 8), (&chains, 12), (&gradients, 8), (&network, 4)]);
        for part in [name, "chain of dense, ", " down; product, ", "gradients of "] {
            assert!(seen.iter().any(|shader| shader.contains(part)), "no list launched {part}: {seen:#?}");
        }
    }
}

/// No weights, and so no tile of them, which would have the bias's gradient too.
#[test]
fn a_bias_without_weights_has_a_launch_of_its_own() {
    let d = paper();
    let f = |shape: &[usize]| floats(&d, shape);
    for (inputs, takes_it) in [(0, false), (2, true)] {
        let dz = f(&[4, 3]);
        let dw = Op::DenseDw { dz: dz.clone(), x: f(&[4, inputs]), dw: f(&[3, inputs]) };
        let group = Group::Gradients(vec![Gradient { dw, db: Some(Op::DenseDb { dz, db: f(&[3]) }), adam_w: None, adam_b: None }]);
        assert_eq!(takes(&group, GPU, |_| true), takes_it, "{inputs} inputs");
    }
}

const GPU: Facts = Facts { software: false, buffers: 8, full: 64, few: 256 };
const REACH: Reach = Reach { binding: 128 << 20, alignment: 256 };

/// The article's network; with no more buffers in a launch than WebGPU promises there are more.
#[test]
fn a_step_of_the_article_is_ten_launches_on_a_gpu_and_twenty_on_a_cpu() {
    let Some(device) = adapter("a_step_of_the_article_is_ten_launches_on_a_gpu_and_twenty_on_a_cpu") else { return };
    let ae = Autoencoder::builder(784).hidden([128, 64]).code(32);
    let ops = training(&device, ae, Loss::Mse, None, 128, 256).unwrap().0;
    let single: usize = ops.iter().map(|op| plan(op, GPU).unwrap().len()).sum();
    assert!(single > 40, "{single}");
    for (software, buffers, count) in [(true, 8, 21), (true, 9, 20), (false, 8, 19), (false, 31, 10), (false, 1000, 10)] {
        let facts = Facts { software, buffers, ..GPU };
        let fits = |launch: &_| bind(launch, REACH, "paper").is_ok_and(|bound| bound.fits(facts.buffers));
        let all = groups(&ops, &|group| takes(group, facts, fits));
        let launches: Vec<_> = all.step.iter().flat_map(|group| plan_group(group, facts).unwrap()).collect();
        let most = launches.iter().map(|launch| bind(launch, REACH, "paper").unwrap().windows.len()).max();
        let names: Vec<&str> = launches.iter().map(|launch| launch.shader.name.as_str()).collect();
        println!("{single} launches by single ops, {} in groups of at most {most:?} buffers: {names:#?}", launches.len());
        assert_eq!(launches.len(), count, "{facts:?}: {names:#?}");
    }
}
