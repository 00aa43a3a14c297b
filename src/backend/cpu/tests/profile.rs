//! Where a step's time goes: `STEPS=3000 cargo test --release --lib profile -- --nocapture` prints microseconds per
//! work and thread in a running team, the 2 % and the 25 % quantile of the steps. Short pieces find quiet moments even
//! on a busy machine, where a whole step finds none.
//! `LAYERS` (`784,1000,500`, the last is the code), `BATCH`, `ROWS` (of the data set: 60000 lie in memory, not in a
//! cache), `THREADS` and `NARROWS_CPU_LEVEL` choose what is run.

use crate::backend::cpu::plan::{Phase, Plan};
use crate::backend::cpu::work::Work;
use crate::backend::cpu::{self, team};
use crate::backend::lists;
use crate::{Device, Level};
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn works(phase: &Phase) -> Vec<&Work> {
    phase.iter().flat_map(|chain| &chain.works).collect()
}

#[test]
fn the_profile_times_every_work_of_every_thread_in_every_step() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let cpu = Arc::new(cpu::Cpu::new(number("THREADS", cpu::cores()), Level::from_environment().unwrap()).unwrap());
    let core = cpu.core.clone();
    let steps = number("STEPS", 50);
    let layers = std::env::var("LAYERS").unwrap_or("784,128,64,32".into());
    let layers: Vec<usize> = layers.split(',').map(|n| n.parse().unwrap()).collect();
    let ops = lists::step(&Device::new(cpu, ""), &layers, number("BATCH", 128), number("ROWS", 4096)).unwrap();
    let plan = Plan::new(&ops, core.threads(), core.level).unwrap();
    // By thread, phase and work; after the works of a phase, its barrier.
    let none: Vec<Vec<Vec<f64>>> = plan.step.iter().map(|phase| vec![Vec::new(); works(phase).len() + 1]).collect();
    let times: Vec<_> = (0..plan.threads).map(|_| Mutex::new(none.clone())).collect();
    let durations = Mutex::new(Vec::new());
    core.with_slices(|slices| {
        team::run(&core.pool, plan.threads, |member| {
            let (mut scratch, mut times) = (core.scratch(member.thread), times[member.thread].lock().unwrap());
            for step in 0..steps {
                let begin = Instant::now();
                let mut last = begin;
                let mut lap = || std::mem::replace(&mut last, Instant::now()).elapsed().as_secs_f64() * 1e6;
                for (phase, times) in plan.step.iter().zip(times.iter_mut()) {
                    let mut first = 0;
                    for chain in phase {
                        times[first..first + chain.works.len()].iter_mut().for_each(|times| times.push(0.0));
                        chain.walk(member, step, |at, work, units| {
                            work.execute(core.level, slices, scratch.floats(), units);
                            *times[first + at].last_mut().expect("just pushed") += lap();
                        });
                        first += chain.works.len();
                    }
                    assert!(member.wait());
                    times[first].push(lap());
                }
                if member.thread == 0 {
                    durations.lock().unwrap().push(begin.elapsed().as_secs_f64() * 1e6);
                }
            }
        });
    })
    .unwrap();
    let quantiles = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        (times[times.len() / 50], times[times.len() / 4])
    };
    let mut sum = 0.0;
    for (p, phase) in plan.step.iter().enumerate() {
        let works = works(phase);
        for w in 0..=works.len() {
            let mut slowest = 0f64;
            for times in &times {
                let times = &mut times.lock().unwrap()[p][w];
                assert!(times.len() == steps && times.iter().all(|t| *t >= 0.0));
                let (low, quarter) = quantiles(times);
                slowest = slowest.max(low);
                print!("{low:8.1}{quarter:8.1} |");
            }
            match works.get(w) {
                Some(work) => println!(" {} {:?}", work.name(), work.touches().iter().rfind(|t| t.written).map(|t| t.view.shape)),
                None => println!(" barrier"),
            }
            sum += slowest;
        }
    }
    println!("the sum of the 2 % quantiles {sum:.0}, a step {:.0?}, in microseconds", quantiles(&mut durations.lock().unwrap()));
}
