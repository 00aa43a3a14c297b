//! The device itself: transfers at any offset, programs, errors, loss.

use super::super::Wgpu;
use super::{adapter, empty, floats};
use crate::device::DeviceKind;
use crate::op::{Op, Stream, Term, Zip, chunks};
use crate::{Device, Dtype, Shape, Tensor};
use std::sync::Arc;

#[test]
fn adapters_are_listed_without_being_opened() {
    let list = Device::list();
    let here = list.found.iter().filter(|i| i.kind == DeviceKind::Wgpu).count();
    let absent = list.absent.iter().find(|a| a.kind == DeviceKind::Wgpu);
    assert_eq!(here == 0, absent.is_some(), "{list:?}");
    let text = Device::wgpu(99).unwrap_err().to_string();
    assert!(text.starts_with("wgpu:99: "), "{text}");
}

#[test]
fn bytes_are_written_and_read_at_any_offset() {
    let Some(device) = adapter("bytes_are_written_and_read_at_any_offset") else { return };
    for n in [1, 2, 3, 4, 5, 9, 13] {
        for start in 0..6 {
            for end in start..=n {
                let all = empty(&device, Dtype::U8, &[n]);
                let mut want: Vec<u8> = (0..n as u8).collect();
                device.backend().write(&all, &want).unwrap();
                let part = all.part(start, Shape::new(&[end - start]).unwrap()).unwrap();
                let new: Vec<u8> = (start..end).map(|i| 200 + i as u8).collect();
                device.backend().write(&part, &new).unwrap();
                want[start..end].copy_from_slice(&new);
                let mut have = vec![0; n];
                device.backend().read(&all, &mut have).unwrap();
                assert_eq!(have, want, "{start}..{end} of {n}");
                let mut again = vec![0; end - start];
                device.backend().read(&part, &mut again).unwrap();
                assert_eq!(again, new);
            }
        }
    }
}

#[test]
fn what_is_read_without_waiting_is_what_was_there_when_it_began() {
    let Some(known) = adapter("what_is_read_without_waiting_is_what_was_there_when_it_began") else { return };
    let index = known.id().trim_start_matches("wgpu:").parse().unwrap();
    let device = pollster::block_on(Device::wgpu_async(index)).unwrap();
    assert_eq!(device.info(), known.info());
    assert!(pollster::block_on(Device::wgpu_async(99)).is_err());
    let x = Tensor::new(&device, &[1.0, 2.0, 3.0], &[3]).unwrap();
    let (mut asked, waited, part) = (x.start_read().unwrap(), x.start_read().unwrap(), x.part(1, 1).unwrap().start_read().unwrap());
    drop(x.start_read().unwrap());
    x.write(&[7.0; 3]).unwrap();
    while !asked.ready().unwrap() {
        std::thread::yield_now();
    }
    assert!(asked.ready().unwrap());
    assert_eq!(asked.take().unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(waited.take().unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(part.take().unwrap(), [2.0]);
    assert_eq!(x.read().unwrap(), [7.0; 3]);
    let mut none = Tensor::zeros(&device, &[0]).unwrap().start_read().unwrap();
    assert!(none.ready().unwrap() && none.take().unwrap().is_empty());
    assert!(Tensor::indices(&device, &[1], 2).unwrap().start_read().is_err());
}

#[test]
fn a_new_buffer_is_zero_even_of_0_bytes() {
    let Some(device) = adapter("a_new_buffer_is_zero_even_of_0_bytes") else { return };
    let view = floats(&device, &[1000]);
    let mut bytes = vec![7; 4000];
    device.backend().read(&view, &mut bytes).unwrap();
    assert!(bytes.iter().all(|b| *b == 0));
    let none = floats(&device, &[0]);
    device.backend().read(&none, &mut []).unwrap();
    device.backend().write(&none, &[]).unwrap();
}

fn read(view: &crate::device::View) -> Vec<f32> {
    let mut bytes = vec![0; 4 * view.len()];
    view.device().backend().read(view, &mut bytes).unwrap();
    bytemuck::pod_collect_to_vec(&bytes)
}

#[test]
fn a_program_is_few_submits_and_does_what_the_ops_do_one_by_one() {
    let Some(device) = adapter("a_program_is_few_submits_and_does_what_the_ops_do_one_by_one") else { return };
    let n = 5000;
    let step = || {
        let (x, y, parts, loss) = (floats(&device, &[n]), floats(&device, &[n]), floats(&device, &[chunks(n)]), floats(&device, &[1]));
        let (clock, losses) = (empty(&device, Dtype::U32, &[2]), floats(&device, &[8]));
        let ops = vec![
            Op::Uniform { clock: clock.clone(), y: y.clone(), lo: -1.0, range: 2.0, stream: Stream { seed: 5, purpose: 1 } },
            Op::Zip { f: Zip::Add, a: x.clone(), b: y.clone(), y: x.clone() },
            Op::Reduce { f: Term::Sum, x, other: None, parts, y: loss.clone(), scale: 1.0 },
            Op::Store { x: loss, clock: clock.clone(), ring: losses.clone() },
            Op::Advance { clock, rows: 3, period: 7 },
        ];
        ops.iter().for_each(|op| op.check().unwrap());
        (ops, losses)
    };
    let (eager, want) = step();
    for _ in 0..8 {
        eager.iter().for_each(|op| device.backend().run(op).unwrap());
    }
    let (ops, have) = step();
    let mut program = device.compile(&ops).unwrap();
    program.run(5).unwrap();
    // Eager work in between disturbs nothing.
    device.backend().run(&eager[0]).unwrap();
    program.run(3).unwrap();
    assert_eq!(read(&have), read(&want));
    assert!(read(&have).iter().all(|x| *x != 0.0));
    let counts = program.counts();
    assert_eq!((counts.runs, counts.steps, counts.launches, counts.maps, counts.writes), (2, 8, 32, 0, 0));
    // The first step alone; then as many at once as 50 ms are for, which depends on the machine.
    assert!((3..=8).contains(&counts.submits), "{counts:?}");
    assert_eq!(program.rung(), "groups");
    program.run(0).unwrap();
    assert_eq!(program.counts().submits, counts.submits);
}

#[test]
fn too_much_memory_is_an_error_and_the_device_goes_on() {
    let Some(device) = adapter("too_much_memory_is_an_error_and_the_device_goes_on") else { return };
    let error = device.backend().alloc(usize::MAX / 2).expect_err("no device has that much");
    assert!(error.to_string().contains("allocates at most"), "{error}");
    let y = floats(&device, &[3]);
    device.backend().run(&Op::Fill { y: y.clone(), value: 2.0 }).unwrap();
    assert_eq!(read(&y), [2.0; 3]);
}

#[test]
fn a_lost_device_errs_and_does_not_panic() {
    if adapter("a_lost_device_errs_and_does_not_panic").is_none() {
        return;
    }
    let backend = Arc::new(Wgpu::open(0).unwrap());
    let opened = backend.opened.clone();
    let device = Device::new(backend, "asked for");
    let y = floats(&device, &[3]);
    let op = Op::Fill { y: y.clone(), value: 2.0 };
    let mut program = device.compile(std::slice::from_ref(&op)).unwrap();
    device.backend().run(&op).unwrap();
    opened.device.destroy();
    // A driver that loses a device says so at once; a device that is destroyed says so when its queue is empty.
    opened.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let mut bytes = [0; 12];
    let errors = [
        device.backend().run(&op).err(),
        device.backend().read(&y, &mut bytes).err(),
        device.backend().write(&y, &bytes).err(),
        program.run(1).err(),
        device.backend().alloc(16).err(),
        device.compile(&[op]).err(),
    ];
    for (i, error) in errors.into_iter().enumerate() {
        let text = error.unwrap_or_else(|| panic!("call {i} after the loss did not err")).to_string();
        assert!(text.contains("lost"), "call {i}: {text}");
    }
}

/// The last checkpoint is whole, and the same process opens the device again.
#[cfg(feature = "files")]
#[test]
fn a_training_that_loses_its_device_goes_on_from_its_checkpoint() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    if adapter("a_training_that_loses_its_device_goes_on_from_its_checkpoint").is_none() {
        return;
    }
    let open = || {
        let backend = Arc::new(Wgpu::open(0).unwrap());
        (backend.opened.clone(), Device::new(backend, "asked for"))
    };
    let rows = crate::data::open("builtin").unwrap().train.head(200);
    let network = |device: &Device| crate::Autoencoder::builder(784).layers([8, 2]).build(device).unwrap();
    let weights = |ae: &crate::Autoencoder| ae.params().names().map(|name| ae.params().read(name).unwrap()).collect::<Vec<_>>();
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let fit = |folder: &std::path::Path| crate::Fit::default().epochs(40).batch_size(20).checkpoints(folder);

    let unbroken = network(&open().1);
    unbroken.fit(&rows, &fit(&whole)).unwrap();

    let (opened, device) = open();
    let steps = Arc::new(AtomicUsize::new(0));
    let watched = steps.clone();
    let watcher = std::thread::spawn(move || {
        while watched.load(Ordering::Relaxed) < 100 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        opened.device.destroy();
    });
    let error = network(&device).fit(&rows, &fit(&broken).count_steps(steps)).unwrap_err();
    assert!(matches!(error, crate::Error::Device { .. }) && error.to_string().contains("lost"), "{error}");
    watcher.join().unwrap();

    let resumed = network(&open().1);
    let history = resumed.fit(&rows, &fit(&broken).resume(true)).unwrap();
    assert!(history.epochs.len() == 40, "{history:?}");
    assert_eq!(weights(&resumed), weights(&unbroken));
}

/// Over 128 MiB, where a binding ends on lavapipe, and over 65,535 workgroups.
#[test]
fn a_buffer_over_the_binding_limit_is_worked_on_in_pieces() {
    let Some(device) = adapter("a_buffer_over_the_binding_limit_is_worked_on_in_pieces") else { return };
    let n = (33 << 20) + 3;
    let y = floats(&device, &[n]);
    device.backend().run(&Op::Fill { y: y.clone(), value: 1.0 }).unwrap();
    device.backend().run(&Op::Scale { x: y.clone(), y: y.clone(), factor: 0.5 }).unwrap();
    let (parts, total) = (floats(&device, &[chunks(n)]), floats(&device, &[1]));
    device.backend().run(&Op::Reduce { f: Term::Sum, x: y.clone(), other: None, parts, y: total.clone(), scale: 1.0 }).unwrap();
    assert_eq!(read(&total), [n as f32 / 2.0]);
    let tail = y.part(n - 3, Shape::new(&[3]).unwrap()).unwrap();
    assert_eq!(read(&tail), [0.5; 3]);
}
