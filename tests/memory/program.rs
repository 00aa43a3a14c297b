//! Programs: replay equals eager to the bit, and costs what the counts say.

use crate::{ALLOCATIONS, ALONE, common};
use narrows::data::{self, Values};
use narrows::nn::Objective;
use narrows::train::Step;
use narrows::{AdamConfig, Autoencoder, Clock, Device, DeviceKind, Error, Level, Params, Program, Tape, Tensor};
use std::sync::atomic::Ordering;

/// A training step on built-in digits, as `fit` records it.
struct Training {
    ae: Autoencoder,
    step: Step,
    batch: usize,
}

impl Training {
    fn new(device: &Device, hidden: &[usize], code: usize, batch: usize) -> Training {
        let digits = data::open("builtin").unwrap().train.head(64);
        let Values::Bytes(bytes) = digits.values() else { panic!("digits are bytes") };
        let ae = Autoencoder::builder(784).hidden(hidden).code(code).seed(3).build(device).unwrap();
        let rows = Tensor::bytes(device, bytes, &[64, 784]).unwrap();
        let step = Step::training(ae.params(), &rows, AdamConfig::default(), &[], 469).unwrap();
        step.set_order(&(0..64).map(|i| (i * 37) % 64).collect::<Vec<_>>()).unwrap();
        Training { step, ae, batch }
    }

    fn losses(&self) -> Vec<f32> {
        self.step.losses().unwrap().remove(0).1
    }

    fn record(&mut self, tape: &mut Tape) {
        self.step.record(tape, self.batch, |on, x| Objective::default().record(&self.ae, on, x)).unwrap();
    }

    fn program(&mut self, device: &Device) -> Program {
        let mut tape = Tape::plan(device);
        self.record(&mut tape);
        tape.compile().unwrap()
    }

    /// Every number that training changes.
    fn state(&self) -> (Vec<u32>, Vec<u32>, Vec<Vec<u32>>) {
        let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let params: &Params = self.ae.params();
        let weights = params.names().map(|n| bits(params.read(n).unwrap())).collect();
        (vec![self.step.clock().cursor().unwrap(), self.step.clock().step().unwrap()], bits(self.losses()), weights)
    }
}

#[test]
fn replay_equals_eager_to_the_bit_also_with_eager_work_in_between() {
    let _alone = ALONE.lock().unwrap();
    for device in common::devices() {
        let mut eager = Training::new(device, &[24, 17], 5, 10);
        for _ in 0..7 {
            eager.record(&mut Tape::new(device));
        }

        let mut replayed = Training::new(device, &[24, 17], 5, 10);
        let mut program = replayed.program(device);
        program.run(7).unwrap();
        assert_eq!(replayed.state(), eager.state(), "{}", device.id());

        let mut mixed = Training::new(device, &[24, 17], 5, 10);
        let mut program = mixed.program(device);
        program.run(2).unwrap();
        let mut tape = Tape::new(device);
        let x = tape.fill(&[33], 2.0).unwrap();
        let sum = tape.sum(x).unwrap();
        assert_eq!(tape.read(sum).unwrap(), [66.0]);
        mixed.record(&mut Tape::new(device));
        program.run(0).unwrap();
        program.run(4).unwrap();
        assert_eq!(mixed.state(), eager.state(), "{}", device.id());
        assert!(eager.losses()[6] > 0.0);
    }
}

#[test]
fn a_run_of_469_steps_makes_no_heap_allocation_per_step_on_the_cpu() {
    let _alone = ALONE.lock().unwrap();
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        for threads in [1, 2, 3] {
            let device = Device::cpu_with(threads, level).unwrap();
            // Large enough that every op is split over the threads.
            let mut training = Training::new(&device, &[128, 64], 32, 64);
            let mut program = training.program(&device);
            let made = |program: &mut Program, steps: usize| {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                program.run(steps).unwrap();
                ALLOCATIONS.load(Ordering::Relaxed) - before
            };
            // Entering the thread pool takes a few, at first some more.
            made(&mut program, 1);
            // The portable level may be slow.
            let many = if level == Level::Portable { 70 } else { 469 };
            let (short, long) = (made(&mut program, 30), made(&mut program, many));
            assert!(short <= 8 && long <= 8, "{short}, then {long} allocations at {level} with {threads} threads");
            assert_eq!(program.counts().steps, 31 + many as u64);
        }
    }
}

#[test]
fn the_counts_say_what_a_run_costs() {
    let _alone = ALONE.lock().unwrap();
    for device in common::fast_devices() {
        let mut training = Training::new(device, &[24, 17], 5, 10);
        let mut program = training.program(device);
        let ops = program.to_string().lines().count() as u64 - 1;
        program.run(1).unwrap();
        let one = program.counts();
        // GPUs run groups of ops as single launches.
        let grouped = device.info().kind != DeviceKind::Cpu;
        assert!(one.launches > 0 && grouped == (one.launches < ops), "{one:?} for {ops} ops");
        program.run(2).unwrap();
        let three = program.counts().launches;
        // What a step takes; what is done once belongs to each run.
        let each = three - 2 * one.launches;
        let steps = if device.info().software { 69 } else { 469 };
        program.run(steps).unwrap();
        let all = program.counts();
        assert_eq!((all.runs, all.steps), (3, 3 + steps as u64), "{}", device.id());
        assert_eq!(all.launches - three, one.launches + each * (steps as u64 - 1), "{}", device.id());
        assert_eq!((all.maps, all.writes), (0, 0), "{}", device.id());
        match device.info().kind {
            DeviceKind::Cpu => assert_eq!(all.submits, 3, "{}: one for each run", device.id()),
            // A long run is cut by time.
            DeviceKind::Wgpu => assert!(all.submits >= 3 && all.submits <= all.steps, "{all:?}"),
            _ => {}
        }
    }
}

#[test]
fn the_wgpu_device_submits_an_epoch_in_parts() {
    let _alone = ALONE.lock().unwrap();
    for device in common::devices().iter().filter(|d| d.info().kind == DeviceKind::Wgpu) {
        let mut training = Training::new(device, &[5], 3, 2);
        let mut program = training.program(device);
        program.run(469).unwrap();
        let counts = program.counts();
        assert_eq!((counts.steps, counts.maps, counts.writes), (469, 0, 0));
        // The first step alone; of the others, some milliseconds each, several at once.
        assert!((2..469).contains(&counts.submits), "{counts:?}");
        assert_eq!(training.step.clock().step().unwrap(), 469);
        assert!(training.losses().iter().all(|l| *l > 0.0));
    }
}

#[test]
fn the_plan_names_every_op_with_its_shapes() {
    let _alone = ALONE.lock().unwrap();
    let device = common::cpu();
    let text = Training::new(&device, &[24, 17], 5, 10).program(&device).to_string();
    let count = |name: &str| text.lines().filter(|l| l.split_whitespace().next() == Some(name)).count();
    assert_eq!((count("dense"), count("dense_dw"), count("dense_db")), (6, 6, 6), "{text}");
    // Nobody wants the gradient of the images, so the first layer has no dense_dx.
    assert_eq!((count("dense_dx"), count("relu"), count("sigmoid"), count("adam")), (5, 4, 1, 1), "{text}");
    assert!(text.contains("x 10x784, w 24x784, b 24 -> y 10x24"), "{text}");
    assert!(text.lines().last().unwrap().contains("run as: team"), "{text}");
}

/// A worker of another pool that waits takes that pool's next task, which wants the device as well.
#[test]
fn a_cpu_device_can_be_used_from_the_tasks_of_another_pool() {
    let _alone = ALONE.lock().unwrap();
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let device = Device::cpu_with(2, Level::best()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let sums: Vec<f32> = pool.install(|| {
            use rayon::prelude::*;
            let one = |i: usize| {
                let mut tape = Tape::new(&device);
                let x = tape.fill(&[40_000], i as f32).unwrap();
                let y = tape.relu(x).unwrap();
                let sum = tape.sum(y).unwrap();
                tape.read(sum).unwrap()[0]
            };
            (0..64).into_par_iter().map(one).collect()
        });
        done.send(sums).unwrap();
    });
    let sums = finished.recv_timeout(std::time::Duration::from_secs(60)).expect("the tasks wait for each other");
    assert!(sums.iter().enumerate().all(|(i, &s)| s == 40_000.0 * i as f32));
}

#[test]
fn values_of_another_tape_are_refused() {
    let _alone = ALONE.lock().unwrap();
    let device = common::cpu();
    let x = Tensor::new(&device, &[1.0, 2.0], &[2]).unwrap();
    let (mut one, mut two) = (Tape::new(&device), Tape::plan(&device));
    let (a, b) = (one.input(&x).unwrap(), two.input(&x).unwrap());
    assert!(matches!(one.add(a, b), Err(Error::Argument { .. })));
    assert!(matches!(two.read(b), Err(Error::Op { op: "read", .. })));
    let y = two.scale(b, 2.0).unwrap();
    let mut program = two.compile().unwrap();
    assert!(program.read(a).is_err());
    assert!(matches!(program.write(y, &[0.0, 0.0]), Err(Error::Op { op: "write", .. })), "a computed value can't be written");
    assert!(matches!(program.write(b, &[0.0]), Err(Error::Op { op: "write", .. })), "too few numbers");
    program.run(1).unwrap();
    assert_eq!(program.read(y).unwrap(), [2.0, 4.0]);
}

#[test]
fn uniform_numbers_lie_in_their_range_and_change_with_the_step() {
    let _alone = ALONE.lock().unwrap();
    for device in common::fast_devices() {
        let clock = Clock::new(device).unwrap();
        let order = Tensor::indices(device, &[0], 1).unwrap();
        let mut tape = Tape::new(device);
        let first = tape.uniform(&[10, 100], (2.0, 5.0), 7, 1, &clock).unwrap();
        tape.advance(&clock, 1, &order).unwrap();
        let second = tape.uniform(&[10, 100], (2.0, 5.0), 7, 1, &clock).unwrap();
        let (first, second) = (tape.read(first).unwrap(), tape.read(second).unwrap());
        assert_ne!(first, second, "{}", device.id());
        for numbers in [first, second] {
            assert!(numbers.iter().all(|x| (2.0..5.0).contains(x)), "{}", device.id());
            let mean = numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / 1000.0;
            // Six times the standard deviation of 3 / sqrt(12 * 1000).
            assert!((mean - 3.5).abs() < 0.17, "{}: {mean}", device.id());
        }
    }
}
