//! What is chosen, on every device that is here: ties, NaN, whole batches, and dead units.

use crate::common::devices;
use narrows::{Clock, Device, Largest, Tape, Tensor};

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// A value, its sum weighted by position, and the gradient by x: the weights where x is taken.
fn taken(
    device: &Device,
    x: &[f32],
    dims: [usize; 2],
    choose: impl Fn(&mut Tape, narrows::Val) -> narrows::Result<narrows::Val>,
) -> narrows::Result<(Vec<f32>, Vec<f32>)> {
    let mut tape = Tape::new(device);
    let x = tape.variable(&Tensor::new(device, x, &dims)?)?;
    let y = choose(&mut tape, x)?;
    assert_eq!(tape.shape(y)?, dims);
    let loss = tape.sum(y)?;
    tape.backward(loss)?;
    let dx = tape.grad(x)?;
    assert_eq!(tape.shape(dx)?, dims);
    Ok((tape.read(y)?, tape.read(dx)?))
}

#[test]
fn a_row_keeps_exactly_k_with_ties_to_the_lowest_index() -> narrows::Result<()> {
    let x = [1.0, 2.0, 2.0, 2.0, f32::NEG_INFINITY, -0.0, 0.0, -1.0, f32::INFINITY, f32::NAN];
    for device in devices() {
        let (y, dx) = taken(device, &x, [2, 5], |tape, x| tape.topk(x, 2))?;
        assert_eq!(y[..8], [0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(y[8] == f32::INFINITY && y[9].is_nan());
        assert_eq!(dx, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let (y, _) = taken(device, &x[5..], [1, 5], |tape, x| tape.topk(x, 4))?;
        assert_eq!(bits(&y[..3]), bits(&[-0.0, 0.0, 0.0]), "-0 is taken after 0, as it is, and -1 is not");
        // All of them, and of a row of one.
        assert_eq!(taken(device, &x[..5], [1, 5], |tape, x| tape.topk(x, 5))?.0, x[..5]);
        assert_eq!(taken(device, &x[..3], [3, 1], |tape, x| tape.topk(x, 1))?.0, x[..3]);
    }
    Ok(())
}

#[test]
fn a_batch_keeps_k_times_its_rows_wherever_they_lie() -> narrows::Result<()> {
    let x = [9.0, 8.0, 7.0, 1.0, 6.0, 1.0];
    for device in devices() {
        let (y, dx) = taken(device, &x, [2, 3], |tape, x| tape.batch_topk(x, 2))?;
        assert_eq!((y, dx), (vec![9.0, 8.0, 7.0, 0.0, 6.0, 0.0], vec![1.0, 1.0, 1.0, 0.0, 1.0, 0.0]));
        let (y, _) = taken(device, &[1.0; 6], [3, 2], |tape, x| tape.batch_topk(x, 1))?;
        assert_eq!(y, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }
    Ok(())
}

#[test]
fn dead_units_are_chosen_alone_and_no_other_leaves_a_trace() -> narrows::Result<()> {
    let x = [5.0, -3.0, 4.0, -1.0, 7.0, -2.0, f32::NAN, -8.0];
    for device in devices() {
        let idle = Tensor::new(device, &[0.0, 100.0, 99.0, 250.0], &[4])?;
        let dead = |k: usize| taken(device, &x, [2, 4], |tape, x| tape.topk_dead(x, k, &idle, 100));
        let (y, dx) = dead(1)?;
        assert_eq!((&y[..], &dx[..]), (&[0.0, 0.0, 0.0, -1.0, 0.0, -2.0, 0.0, 0.0][..], &[0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0][..]));
        // Fewer are dead than are wanted: exactly 0 elsewhere, and no gradient.
        for k in [2, 3, 4] {
            let (y, dx) = dead(k)?;
            assert_eq!(bits(&y), bits(&[0.0, -3.0, 0.0, -1.0, 0.0, -2.0, 0.0, -8.0]), "{k}");
            assert_eq!(bits(&dx), bits(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]), "{k}");
        }
        idle.write(&[0.0; 4])?;
        let (y, dx) = dead(3)?;
        assert_eq!((bits(&y), bits(&dx)), (vec![0; 8], vec![0; 8]), "none is dead");
    }
    Ok(())
}

#[test]
fn units_are_idle_until_a_row_has_them_on_in_every_step_of_a_program() -> narrows::Result<()> {
    for device in devices() {
        let idle = Tensor::new(device, &[7.0, 7.0, 16_777_213.0], &[3])?;
        let code = Tensor::new(device, &[0.0, -1.0, -0.0, 0.0, 0.0, 1e-40], &[2, 3])?;
        let mut tape = Tape::plan(device);
        let x = tape.input(&code)?;
        tape.idle(x, &idle)?;
        tape.compile()?.run(3)?;
        assert_eq!(idle.read()?, [13.0, 0.0, 16_777_216.0]);
    }
    Ok(())
}

/// Numbers come in steps of a program, three columns at a time, and in the order of the sort of all.
#[test]
fn the_largest_so_far_are_those_of_all_steps() -> narrows::Result<()> {
    let numbers: Vec<f32> = (0..2 * 3 * 40).map(|i| ((i * 7919) % 31) as f32 - 15.0).collect();
    for device in devices() {
        for k in [1, 4, 200] {
            let (clock, top) = (Clock::new(device)?, Largest::new(device, 2, k)?);
            // Row by row of the data: three numbers of the first row, three of the second.
            let data = Tensor::new(device, &numbers, &[80, 3])?;
            let order = Tensor::indices(device, &(0..80).collect::<Vec<_>>(), 80)?;
            let mut tape = Tape::plan(device);
            let x = tape.gather(&data, &order, &clock, 2)?;
            tape.merge_topk(x, &clock, &top)?;
            tape.advance(&clock, 2, &order)?;
            let mut program = tape.compile()?;
            program.run(15)?;
            program.run(25)?;
            let (values, index) = top.read()?;
            for row in 0..2 {
                // The cursor is twice the step, and counts as the index of a step's first column.
                let mut all: Vec<(f32, u32)> = (0..40)
                    .flat_map(|step| (0..3).map(move |c| (2 * step + row, 2 * step + c, c)))
                    .map(|(at, i, c)| (numbers[3 * at + c], i as u32))
                    .collect();
                let mut order: Vec<usize> = (0..all.len()).collect();
                order.sort_by(|&a, &b| all[b].0.total_cmp(&all[a].0).then(a.cmp(&b)));
                order.truncate(k);
                order.sort();
                let want: Vec<_> = order.into_iter().map(|i| all[i]).collect();
                all = values[row * k..][..k].iter().copied().zip(index[row * k..][..k].iter().copied()).collect();
                // What is not filled comes first.
                let unfilled = k.saturating_sub(120);
                assert!(all[..unfilled].iter().all(|&(x, at)| x == f32::NEG_INFINITY && at == 0));
                assert_eq!(all[unfilled..], want, "{} {k} {row}", device.id());
            }
        }
    }
    Ok(())
}

/// The counters are read by the gradient of what they selected.
#[test]
fn counters_that_have_changed_since_are_noticed() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let idle = Tensor::zeros(&device, &[2])?;
    let mut tape = Tape::new(&device);
    let x = tape.variable(&Tensor::new(&device, &[1.0, 2.0], &[1, 2])?)?;
    let y = tape.dead(x, &idle, 0)?;
    let loss = tape.sum(y)?;
    tape.idle(x, &idle)?;
    let text = tape.backward(loss).unwrap_err().to_string();
    assert!(text.contains("dead: its gradient needs idle as it was, and `idle` has written it since"), "{text}");
    Ok(())
}

#[test]
fn what_cannot_be_chosen_is_refused_with_the_numbers() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let mut tape = Tape::new(&device);
    let x = tape.input(&Tensor::zeros(&device, &[2, 3])?)?;
    let deep = tape.input(&Tensor::zeros(&device, &[2, 3, 1])?)?;
    let none = tape.input(&Tensor::zeros(&device, &[0, 3])?)?;
    let idle = Tensor::zeros(&device, &[4])?;
    let text = |result: narrows::Result<narrows::Val>| result.unwrap_err().to_string();
    assert_eq!(
        text(tape.topk(x, 4)),
        "topk: 4 of 3 numbers a row are wanted (x is 2x3). Take at least 1, and at most as many as a row has."
    );
    assert!(text(tape.topk(x, 0)).starts_with("topk: 0 of 3 numbers"));
    assert!(text(tape.batch_topk(x, 4)).starts_with("batch_topk: 4 of 3 numbers"));
    assert_eq!(text(tape.batch_topk(none, 1)), "batch_topk: x is 0x3. Pass a matrix of at least one row.");
    assert_eq!(text(tape.topk(deep, 1)), "cut: x has 3 dimensions where 2 are needed (x is 2x3x1). Reshape it to [rows, columns].");
    assert_eq!(text(tape.dead(x, &idle, 1)), "dead: 3 columns of x but 4 units. Make the two agree.");
    assert_eq!(text(tape.dead(x, &idle, (1 << 24) + 1)), "dead: idle for at least 16777217 rows. Use at most 16777216.");
    assert_eq!(tape.idle(x, &idle).unwrap_err().to_string(), "idle: 3 columns of code but 4 units. Make the two agree.");
    let top = |rows: usize| Largest::new(&device, rows, 2);
    let clock = Clock::new(&device)?;
    assert_eq!(
        tape.merge_topk(x, &clock, &top(3)?).unwrap_err().to_string(),
        "merge_topk: 2 rows of x but 3 of values. Make the two agree."
    );
    assert!(tape.merge_topk(deep, &clock, &top(2)?).unwrap_err().to_string().starts_with("merge_topk: x has 3 dimensions"));
    assert_eq!(Largest::new(&device, 2, 0).unwrap_err().to_string(), "k: it is 0. Use at least 1.");
    assert_eq!(tape.topk(none, 3).and_then(|y| tape.shape(y).map(<[usize]>::to_vec))?, [0, 3]);
    Ok(())
}
