//! Parameters in groups: each group has a gradient, a clipping and a step of its own, and nothing of one reaches
//! another.

use crate::common;
use narrows::{Adam, AdamConfig, Clock, Device, Params, Tape, Tensor, Val};

fn shape(name: &str, dims: &[usize]) -> (String, Vec<usize>) {
    (name.into(), dims.to_vec())
}

/// Two layers in two groups, with state beside them.
fn two_layers(device: &Device) -> Params {
    let groups = [
        ("first", vec![shape("a.weight", &[5, 3]), shape("a.bias", &[5])]),
        ("second", vec![shape("b.weight", &[2, 5]), shape("b.bias", &[2])]),
    ];
    let params = Params::in_groups(device, &groups, &[shape("mean", &[2]), shape("idle", &[3])]).unwrap();
    for (at, name) in params.names().enumerate() {
        let len: usize = params.shape(name).unwrap().iter().product();
        let values: Vec<f32> = (0..len).map(|i| ((i * 7 + at * 3) % 11) as f32 / 10.0 - 0.4).collect();
        params.write(name, &values).unwrap();
    }
    params
}

fn input(device: &Device, tape: &mut Tape) -> Val {
    let rows: Vec<f32> = (0..12).map(|i| (i * 5 % 12) as f32 / 6.0 - 0.9).collect();
    tape.input(&Tensor::new(device, &rows, &[4, 3]).unwrap()).unwrap()
}

fn layer(tape: &mut Tape, params: &Params, name: &str, x: Val) -> Val {
    let (w, b) = (tape.param(params, &format!("{name}.weight")).unwrap(), tape.param(params, &format!("{name}.bias")).unwrap());
    tape.dense(x, w, b).unwrap()
}

/// The mean square of what both layers give.
fn loss(device: &Device, tape: &mut Tape, params: &Params) -> Val {
    let x = input(device, tape);
    let h = layer(tape, params, "a", x);
    let h = tape.tanh(h).unwrap();
    let y = layer(tape, params, "b", h);
    let zero = tape.fill(&[4, 2], 0.0).unwrap();
    tape.mse(y, zero).unwrap()
}

fn all(params: &Params, read: impl Fn(&Params, &str) -> narrows::Result<Vec<f32>>) -> Vec<(String, Vec<f32>)> {
    params.names().map(|name| (name.to_string(), read(params, name).unwrap())).collect()
}

#[test]
fn the_steps_of_all_groups_are_the_step_of_the_whole() {
    for device in common::devices() {
        let run = |groups: &[&str]| {
            let params = two_layers(device);
            let clock = Clock::new(device).unwrap();
            let adam = Adam::with_clock(&params, AdamConfig { learning_rate: 0.1, ..AdamConfig::default() }, &clock).unwrap();
            let order = Tensor::indices(device, &[0], 1).unwrap();
            let mut tape = Tape::plan(device);
            let loss = loss(device, &mut tape, &params);
            if groups.is_empty() {
                tape.backward(loss).unwrap();
                adam.step(&mut tape).unwrap();
            }
            groups.iter().for_each(|group| tape.backward_on(loss, &params, group).unwrap());
            groups.iter().for_each(|group| adam.step_on(&mut tape, group).unwrap());
            tape.advance(&clock, 0, &order).unwrap();
            tape.compile().unwrap().run(3).unwrap();
            all(&params, Params::read)
        };
        let whole = run(&[]);
        assert_ne!(whole, all(&two_layers(device), Params::read));
        assert_eq!(whole, run(&["second", "first"]), "{}", device.id());
        // A step of one group leaves the other as it was.
        let (start, second) = (all(&two_layers(device), Params::read), run(&["second"]));
        assert_eq!(second[..2], start[..2]);
        assert!(second[2] != start[2] && second[3] != start[3]);
    }
}

#[test]
fn the_gradients_of_a_group_are_those_of_the_whole_and_the_others_are_not_touched() {
    for device in common::devices() {
        let params = two_layers(device);
        let mut tape = Tape::new(device);
        let loss_of_all = loss(device, &mut tape, &params);
        tape.backward(loss_of_all).unwrap();
        let whole = all(&params, Params::read_grad);
        assert!(whole.iter().all(|(_, grad)| grad.iter().any(|g| *g != 0.0)));

        let params = two_layers(device);
        let mut tape = Tape::new(device);
        let loss_of_all = loss(device, &mut tape, &params);
        tape.backward_on(loss_of_all, &params, "second").unwrap();
        let second = all(&params, Params::read_grad);
        assert_eq!(second[2..], whole[2..], "{}", device.id());
        assert!(second[..2].iter().all(|(_, grad)| grad.iter().all(|g| *g == 0.0)));
        // Three times as large: nothing of the first pass is left in the second, and the other group keeps what it has.
        let larger = tape.scale(loss_of_all, 4.0).unwrap();
        tape.backward_on(larger, &params, "first").unwrap();
        let first = all(&params, Params::read_grad);
        assert_eq!(first[2..], second[2..]);
        for ((_, got), (name, want)) in first[..2].iter().zip(&whole) {
            assert_eq!(got, &want.iter().map(|g| 4.0 * g).collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn no_op_computes_a_gradient_that_nobody_asked_for() {
    let device = common::cpu();
    let params = two_layers(&device);
    let plan = |group: Option<&str>| {
        let mut tape = Tape::plan(&device);
        let loss = loss(&device, &mut tape, &params);
        match group {
            Some(group) => tape.backward_on(loss, &params, group).unwrap(),
            None => tape.backward(loss).unwrap(),
        }
        tape.compile().unwrap().to_string()
    };
    let count = |group, op: &str| plan(group).lines().filter(|line| line.split_whitespace().any(|word| word == op)).count();
    assert_eq!([count(None, "dense_dw"), count(None, "dense_dx"), count(None, "tanh_grad")], [2, 1, 1]);
    assert_eq!([count(Some("second"), "dense_dw"), count(Some("second"), "dense_dx"), count(Some("second"), "tanh_grad")], [1, 0, 0]);
    assert_eq!([count(Some("first"), "dense_dw"), count(Some("first"), "dense_dx"), count(Some("first"), "tanh_grad")], [1, 1, 1]);
    assert_eq!([count(Some("first"), "dense_db"), count(Some("first"), "fill")], [1, 2]);
}

#[test]
fn nothing_flows_into_what_is_detached_or_frozen() {
    for device in common::devices() {
        let params = two_layers(device);
        let mut tape = Tape::new(device);
        let x = input(device, &mut tape);
        let h = layer(&mut tape, &params, "a", x);
        let cut = tape.detach(h).unwrap();
        assert_eq!(tape.read(cut).unwrap(), tape.read(h).unwrap());
        let (w, b) = (tape.frozen(&params, "b.weight").unwrap(), tape.param(&params, "b.bias").unwrap());
        let y = tape.dense(cut, w, b).unwrap();
        let target = tape.fill(&[4, 2], 0.0).unwrap();
        let loss = tape.mse(y, target).unwrap();
        tape.backward(loss).unwrap();
        assert!([h, cut, w].into_iter().all(|val| tape.grad(val).is_err()));
        let grads = all(&params, Params::read_grad);
        assert!(grads[..3].iter().all(|(_, grad)| grad.iter().all(|g| *g == 0.0)), "{}", device.id());
        assert!(grads[3].1.iter().any(|g| *g != 0.0));
    }
}

#[test]
fn a_group_is_clipped_by_its_own_norm() {
    for device in common::devices() {
        let params = two_layers(device);
        let mut tape = Tape::new(device);
        let loss = loss(device, &mut tape, &params);
        tape.backward(loss).unwrap();
        let before = all(&params, Params::read_grad);
        let norm = |grads: &[(String, Vec<f32>)]| grads.iter().flat_map(|(_, g)| g).map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let most = norm(&before[2..]) / 2.0;
        tape.clip_grads_on(&params, "second", most as f32).unwrap();
        let after = all(&params, Params::read_grad);
        assert_eq!(after[..2], before[..2]);
        assert!((norm(&after[2..]) / most - 1.0).abs() < 1e-4, "{}", device.id());
    }
}

#[test]
fn a_gradient_through_a_weight_that_has_moved_since_is_refused() {
    let device = common::cpu();
    let params = two_layers(&device);
    let clock = Clock::new(&device).unwrap();
    let adam = Adam::with_clock(&params, AdamConfig::default(), &clock).unwrap();
    let mut tape = Tape::new(&device);
    let first = loss(&device, &mut tape, &params);
    tape.backward_on(first, &params, "second").unwrap();
    adam.step_on(&mut tape, "second").unwrap();
    let error = tape.backward_on(first, &params, "first").unwrap_err().to_string();
    let said = "dense: its gradient needs w as it was, and `adam` has written it since. Compute the loss again after the optimiser's step, or take \
                all gradients before it.";
    assert_eq!(error, said);
    // The second layer's own gradients do not need its weights.
    tape.backward_on(first, &params, "second").unwrap();
    let again = loss(&device, &mut tape, &params);
    tape.backward_on(again, &params, "first").unwrap();
    adam.step_on(&mut tape, "first").unwrap();
}

#[test]
fn state_is_kept_and_names_that_are_not_there_are_refused_with_those_that_are() {
    let device = common::cpu();
    let params = two_layers(&device);
    params.state("idle").unwrap().write(&[1.0, 2.0, 3.0]).unwrap();
    assert_eq!(params.state("mean").unwrap().read().unwrap(), [0.0, 0.0]);
    assert_eq!(params.state("idle").unwrap().read().unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(params.groups().chain(params.state_names()).collect::<Vec<_>>(), ["first", "second", "mean", "idle"]);
    let clock = Clock::new(&device).unwrap();
    let adam = Adam::with_clock(&params, AdamConfig::default(), &clock).unwrap();
    let mut tape = Tape::plan(&device);
    let loss = loss(&device, &mut tape, &params);
    let group = "group: there is no `third`. Use one of first, second.";
    assert_eq!(params.group_len("third").unwrap_err().to_string(), group);
    assert_eq!(adam.step_on(&mut tape, "third").unwrap_err().to_string(), group);
    assert_eq!(tape.backward_on(loss, &params, "third").unwrap_err().to_string(), group);
    assert_eq!(tape.clip_grads_on(&params, "third", 1.0).unwrap_err().to_string(), group);
    assert_eq!(params.state("var").unwrap_err().to_string(), "state: there is no `var`. Use one of mean, idle.");
    let own = Adam::new(&params, AdamConfig::default()).unwrap().step_on(&mut tape, "first").unwrap_err().to_string();
    assert!(own.contains("Make it with `Adam::with_clock`"), "{own}");
    let other = two_layers(&device);
    let error = tape.backward_on(loss, &other, "first").unwrap_err().to_string();
    assert!(error.contains("depends on no parameter of the group `first`"), "{error}");
    let twice = Params::in_groups(&device, &[("a", vec![shape("x", &[1])]), ("b", vec![shape("x", &[1])])], &[]).unwrap_err();
    assert_eq!(twice.to_string(), "parameter: `x` occurs twice. Give every parameter its own name.");
    let twice = Params::in_groups(&device, &[("a", vec![shape("x", &[1])]), ("a", vec![shape("y", &[1])])], &[]).unwrap_err();
    assert_eq!(twice.to_string(), "group: `a` occurs twice. Give every group its own name.");
}
