//! The team against op by op, what works say they touch against what they touch, and the barrier under stress.

mod products;
mod profile;

use super::barrier::Barrier;
use super::memory::FORMED;
use super::plan::{Plan, SIZES, Sizes};
use super::program::Team;
use super::{Core, Cpu, team};
use crate::backend::lists::{self, ELEMENTS, NAMES, World};
use crate::device::{Executable, View};
use crate::op::{Op, Term, Zip};
use crate::{Device, Dtype, Error, Level, Shape};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A team of all threads of the device, however little work there is.
fn team_of(core: &Arc<Core>, ops: &[Op]) -> Team {
    team_with(core, ops, SIZES)
}

fn team_with(core: &Arc<Core>, ops: &[Op], sizes: Sizes) -> Team {
    let plan = Plan::with_sizes(ops, core.threads(), core.level, sizes).unwrap();
    Team::new(core.clone(), ops.len(), plan)
}

/// Everything is large: all right sides are packed, and what goes on with the same rows does so a few at a time.
const TINY: Sizes = Sizes { pack: 0, rows: 0, many: 0, near: 0, least: 1 };

fn open(threads: usize, level: Level) -> (Arc<Core>, Device) {
    let cpu = Arc::new(Cpu::new(threads, level).unwrap());
    (cpu.core.clone(), Device::new(cpu, ""))
}

#[test]
fn a_team_of_any_size_leaves_the_bits_of_op_by_op_for_random_lists() {
    let (_, alone) = open(1, Level::best());
    let teams: Vec<_> = [1, 2, 3, 7].map(|threads| open(threads, Level::best())).into();
    let (mut barriers, mut saved, mut finite) = (0, 0, 0);
    for seed in 0..150 {
        let count = [1, 2, 5, 30][seed as usize % 4];
        let steps = 1 + seed as usize % 3;
        let eager = World::new(&alone, seed, count);
        for op in (0..steps).flat_map(|_| &eager.ops) {
            alone.backend().run(op).unwrap();
        }
        let want = eager.state(&alone);
        finite += want.iter().filter(|&&bits| bits != u32::MAX && bits << 1 != 0).count();
        for (core, device) in &teams {
            for sizes in [SIZES, TINY] {
                let world = World::new(device, seed, count);
                let mut team = team_with(core, &world.ops, sizes);
                team.run(steps).unwrap();
                let got = world.state(device);
                let differs = (0..want.len()).find(|&i| got[i] != want[i]);
                assert_eq!(differs, None, "seed {seed}, {} threads, {:#?}\n{}", core.threads(), world.ops, team.plan());
                barriers += team.counts().barriers;
                // A reduction alone has two phases a step, so it may need more barriers than there are ops.
                saved += (count * steps) as i64 - team.counts().barriers as i64;
            }
            // Op by op with the same number of threads.
            let world = World::new(device, seed, count);
            for op in (0..steps).flat_map(|_| &world.ops) {
                device.backend().run(op).unwrap();
            }
            assert!(world.state(device) == want, "seed {seed}, op by op with {} threads", core.threads());
        }
    }
    assert!(finite > 150 * ELEMENTS, "most numbers are NaN or 0");
    assert!(barriers > 1000 && saved > 1000, "{barriers} barriers, {saved} saved");
}

/// Lists that GPUs put together, layers whose function sees another shape among them.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[test]
fn lists_with_much_to_put_together_leave_the_bits_of_op_by_op() {
    use lists::{Make, chains, difference, ends, gradients, layers, network};
    let (_, team) = open(3, Level::best());
    let all: [&Make; 5] = [&layers, &chains, &gradients, &ends, &network];
    for (make, seed) in all.into_iter().flat_map(|make| (0..12).map(move |seed| (make, seed))) {
        assert_eq!(difference(&team, make, seed, 2).0, None, "{:#?}", make(&team, seed));
    }
}

/// The plan believes what `touches` says, and `Slices` believes the plan.
#[test]
fn works_touch_what_they_say_and_parts_of_a_phase_do_not_meet() {
    for threads in [1, 2, 3, 7] {
        let (core, device) = open(threads, Level::best());
        let mut lists: Vec<Vec<Op>> = (0..60).map(|seed| World::new(&device, seed, 12).ops).collect();
        let missing: Vec<_> = NAMES.iter().filter(|&name| !lists.iter().flatten().any(|op| op.name() == *name)).collect();
        assert!(missing.is_empty(), "no list has {missing:?}");
        lists.push(lists::step(&device, &[784, 128, 64, 32], 24, 4096).unwrap());
        for (ops, sizes) in lists.iter().flat_map(|ops| [(ops, SIZES), (ops, TINY)]) {
            let plan = Plan::with_sizes(ops, threads, core.level, sizes).unwrap();
            for phase in plan.prologue.iter().chain(&plan.step) {
                let mut formed = Vec::new();
                // Which thread does what: each its own part, and every turn of a chain a different thread.
                let mut others = plan.threads..;
                let mut parts = Vec::new();
                for chain in phase {
                    let partition = chain.works[0].partition;
                    match chain.turn() {
                        Some(units) if plan.threads > 1 => {
                            let own = (0..plan.threads).map(|t| partition.part(t, plan.threads));
                            let turns =
                                own.flat_map(|part| part.clone().step_by(units).map(move |start| start..part.end.min(start + units)));
                            parts.extend(
                                turns.zip(&mut others).flat_map(|(part, who)| chain.works.iter().map(move |w| (who, w, part.clone()))),
                            );
                        }
                        _ => parts.extend(
                            (0..plan.threads).flat_map(|t| chain.works.iter().map(move |w| (t, w, w.partition.part(t, plan.threads)))),
                        ),
                    }
                }
                for (who, work, part) in parts {
                    FORMED.set(Some(Vec::new()));
                    core.with_slices(|slices| work.execute(core.level, slices, core.scratch(0).floats(), part.clone())).unwrap();
                    let said: Vec<_> = work
                        .touches()
                        .iter()
                        .map(|t| (Arc::as_ptr(&t.view.buffer) as usize, t.elements(part.clone()), t.written))
                        .collect();
                    for (buffer, elements, written) in FORMED.take().unwrap() {
                        let covers = |said: &(usize, std::ops::Range<usize>, bool)| {
                            said.0 == buffer && said.1.start <= elements.start && elements.end <= said.1.end && (said.2 || !written)
                        };
                        assert!(
                            elements.is_empty() || said.iter().any(covers),
                            "{} {part:?} of {:?}: {elements:?}",
                            work.name(),
                            work.partition
                        );
                        formed.push((who, buffer, elements, written, work.name()));
                    }
                }
                for a in &formed {
                    for b in formed.iter().filter(|b| b.0 != a.0 && b.1 == a.1 && (a.3 || b.3)) {
                        // Columns of one matrix are told apart by `Rectangle`, not by elements.
                        let columns = a.4 == b.4 && ["dense", "dense_dx", "dense_dw", "pack"].contains(&a.4);
                        assert!(a.2.start >= b.2.end || b.2.start >= a.2.end || columns, "{a:?} and {b:?} meet");
                    }
                }
            }
        }
    }
}

#[test]
fn a_step_of_training_needs_three_barriers_and_packs_its_weights_once() {
    for (threads, barriers) in [(1, 1), (2, 3), (4, 3)] {
        let (core, device) = open(threads, Level::best());
        let ops = lists::step(&device, &[784, 128, 64, 32], 128, 4096).unwrap();
        let mut team = team_of(&core, &ops);
        let text = team.plan();
        assert_eq!(
            text.split([' ', '+', '\n']).filter(|&name| name == "pack").count(),
            if Level::best() > Level::Portable { 12 } else { 0 },
            "once before the first step, once in each: {text}"
        );
        team.run(10).unwrap();
        let counts = team.counts();
        assert_eq!((counts.submits, counts.launches), (1, 10 * ops.len() as u64));
        // With one before the first step, where weights are packed, and none after the last.
        assert!(counts.barriers.abs_diff(10 * barriers) <= 1, "{counts:?} {text}");
    }
}

#[test]
fn a_step_that_packs_everything_and_goes_row_by_row_has_the_same_bits() {
    let layers = [70, 100, 33];
    let state = |threads, sizes: Sizes, steps| {
        let (core, device) = open(threads, Level::best());
        let ops = lists::step(&device, &layers, 40, 4096).unwrap();
        let mut team = team_with(&core, &ops, sizes);
        team.run(steps).unwrap();
        let adam = ops.iter().find_map(|op| if let Op::Adam { p, g, m, v, .. } = op { Some([p, g, m, v]) } else { None }).unwrap();
        let read = |view: &View| {
            let mut bits = vec![0u32; view.len()];
            device.backend().read(view, bytemuck::cast_slice_mut(&mut bits)).unwrap();
            bits
        };
        (adam.map(read), team.plan())
    };
    let (want, plain) = state(1, SIZES, 5);
    assert!(want[0] != state(1, SIZES, 4).0[0] && !plain.contains('+'), "{plain}");
    for threads in [1, 2, 3, 7] {
        for sizes in [TINY, Sizes { near: 3000, ..TINY }] {
            let (got, plan) = state(threads, sizes, 5);
            assert!(got == want, "{threads} threads\n{plan}");
            let panels = Level::best() > Level::Portable;
            let pack = if panels { "+pack" } else { "" };
            // Of some works more threads have so few rows that they do them at once.
            let chains = match threads {
                1 | 2 => vec![format!("dense_dw+adam{pack}{pack}"), format!("gather{pack}+dense+relu{pack}")],
                _ => vec!["+".into()],
            };
            assert!(chains.iter().all(|chain| plan.contains(chain)), "{threads} threads\n{plan}");
        }
    }
}

#[test]
fn weights_are_packed_again_only_after_they_are_written() {
    for threads in [1, 2, 3] {
        let (core, device) = open(threads, Level::best());
        let alloc = |shape: &[usize]| device.alloc(Dtype::F32, Shape::new(shape).unwrap()).unwrap();
        let write = |view: &View, x: f32| device.backend().write(view, bytemuck::cast_slice(&vec![x; view.len()])).unwrap();
        let (x, w, b, y) = (alloc(&[10, 7]), alloc(&[40, 7]), alloc(&[40]), alloc(&[10, 40]));
        write(&x, 1.0);
        let dense = |b: &View, y: &View| Op::Dense { x: x.clone(), w: w.clone(), b: Some(b.clone()), y: y.clone() };
        let mut team = team_of(&core, &[dense(&b, &y)]);
        // The first number of y, and the barriers it took.
        let run = |team: &mut Team| {
            let before = team.counts().barriers;
            team.run(1).unwrap();
            let mut first = [0f32; 400];
            device.backend().read(&y, bytemuck::cast_slice_mut(&mut first)).unwrap();
            assert!(first.iter().all(|y| *y == first[0]));
            (first[0], team.counts().barriers - before)
        };
        let packs = u64::from(Level::best() > Level::Portable);
        write(&w, 2.0);
        assert_eq!(run(&mut team), (14.0, packs));
        assert_eq!(run(&mut team), (14.0, 0));
        write(&b, 1.0);
        assert_eq!(run(&mut team), (15.0, 0), "only the bias has changed");
        write(&w, 3.0);
        assert_eq!(run(&mut team), (22.0, packs), "written from the host");
        device.backend().run(&Op::Fill { y: w.clone(), value: 4.0 }).unwrap();
        assert_eq!(run(&mut team), (29.0, packs), "written by an op");
        let mut other = team_of(&core, &[Op::Scale { x: w.clone(), y: w.clone(), factor: 0.5 }]);
        other.run(1).unwrap();
        assert_eq!(run(&mut team), (15.0, packs), "written by another program");
        assert_eq!(run(&mut team), (15.0, 0));
    }
}

#[test]
fn a_small_step_is_left_to_one_thread() {
    let (core, device) = open(4, Level::best());
    let threads = |layers: &[usize], batch| {
        Plan::new(&lists::step(&device, layers, batch, 4096).unwrap(), core.threads(), core.level).unwrap().threads
    };
    assert_eq!((threads(&[64, 32, 8], 16), threads(&[784, 128, 64, 32], 128)), (1, 4));
}

/// How often the stress tests go round: `NARROWS_STRESS=10` is the full 100,000 runs.
fn stress() -> usize {
    std::env::var("NARROWS_STRESS").map_or(1, |n| n.parse().unwrap())
}

#[test]
fn the_barrier_holds_for_one_to_eight_threads() {
    for team in 1..=8 {
        for cores in [1, 8] {
            let barrier = Barrier::new(team, cores);
            let slots: Vec<AtomicUsize> = (0..team).map(|_| AtomicUsize::new(0)).collect();
            let rounds = 600 * stress();
            std::thread::scope(|scope| {
                for thread in 0..team {
                    let (barrier, slots) = (&barrier, &slots);
                    scope.spawn(move || {
                        for round in 1..=rounds {
                            slots[thread].store(round, Ordering::Relaxed);
                            assert!(barrier.wait(|| ()));
                            assert!(slots.iter().all(|slot| slot.load(Ordering::Relaxed) == round), "a thread has not arrived yet");
                            assert!(barrier.wait(|| ()));
                        }
                    });
                }
            });
        }
    }
}

#[test]
fn short_runs_end_with_the_right_numbers() {
    for threads in 1..=8 {
        let (core, device) = open(threads, Level::best());
        let shape = Shape::new(&[threads * 64]).unwrap();
        let alloc = |shape| device.alloc(Dtype::F32, shape).unwrap();
        let (x, sum, parts, one) = (alloc(shape), alloc(Shape::new(&[1]).unwrap()), alloc(Shape::new(&[1]).unwrap()), alloc(shape));
        // Every thread adds 1 to a part, one adds the parts up, every thread reads the sum.
        let ops = [
            Op::Fill { y: one.clone(), value: 1.0 },
            Op::Zip { f: Zip::Add, a: x.clone(), b: one, y: x.clone() },
            Op::Reduce { f: Term::Sum, x: x.clone(), other: None, parts, y: sum.clone(), scale: 1.0 },
            Op::ReduceGrad { f: Term::Sum, x: None, other: None, dy: sum, dx: x.clone(), scale: 1.0 },
            Op::Scale { x: x.clone(), y: x.clone(), factor: 1.0 / shape.len() as f32 },
        ];
        ops.iter().for_each(|op| op.check().unwrap());
        let mut team = team_of(&core, &ops);
        let (mut runs, mut steps) = (0, 0);
        while runs < 1250 * stress() {
            let n = 1 + runs % 3;
            team.run(n).unwrap();
            (runs, steps) = (runs + 1, steps + n);
            if runs % 50 == 0 {
                let mut numbers = vec![0f32; shape.len()];
                device.backend().read(&x, bytemuck::cast_slice_mut(&mut numbers)).unwrap();
                assert!(numbers.iter().all(|&x| (x - steps as f32).abs() < 0.01), "{threads} threads, {steps} steps, {:?}", &numbers[..4]);
            }
        }
    }
}

#[test]
fn a_panic_in_one_thread_ends_the_run_and_poisons_the_device() {
    for (threads, bad) in [(1, 0), (2, 0), (2, 1), (5, 3)] {
        let (core, device) = open(threads, Level::best());
        let run = catch_unwind(AssertUnwindSafe(|| {
            core.with_slices(|_| {
                team::run(&core.pool, threads, |member| {
                    for round in 0..10 {
                        assert!(member.thread != bad || round < 5, "planted");
                        if !member.wait() {
                            return;
                        }
                    }
                    panic!("no thread gets here, as one is missing");
                });
            })
        }));
        let text = run.unwrap_err().downcast::<&str>().map_or_else(|other| *other.downcast::<String>().unwrap(), |text| text.to_string());
        assert_eq!(text, "planted");
        let x = device.alloc(Dtype::F32, Shape::new(&[4]).unwrap()).unwrap();
        assert!(matches!(device.backend().run(&Op::Fill { y: x, value: 1.0 }), Err(Error::Device { .. })));
    }
}
