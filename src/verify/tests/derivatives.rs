//! The oracle's gradient formulas against central differences of the oracle's own forward formulas, in f64: the full
//! Jacobian of each op.

use crate::op::{Map, Term, Zip};
use crate::verify::data::Source;
use crate::verify::reference as r;

const STEP: f64 = 1e-6;

/// Compares what `backward(x, dy)` gives for each unit vector dy with the row of the Jacobian of `forward` at x.
#[track_caller]
fn check(name: &str, x: &[f64], forward: impl Fn(&[f64]) -> Vec<f64>, backward: impl Fn(&[f64], &[f64]) -> Vec<f64>) {
    let outputs = forward(x).len();
    let columns: Vec<Vec<f64>> = (0..x.len())
        .map(|i| {
            let moved = |by: f64| forward(&x.iter().enumerate().map(|(j, &x)| if i == j { x + by } else { x }).collect::<Vec<_>>());
            moved(STEP).iter().zip(moved(-STEP)).map(|(up, down)| (up - down) / (2.0 * STEP)).collect()
        })
        .collect();
    let mut norm = 0.0;
    for j in 0..outputs {
        let dy: Vec<f64> = (0..outputs).map(|k| f64::from(j == k)).collect();
        let dx = backward(x, &dy);
        assert_eq!(dx.len(), x.len(), "{name}");
        for (i, (&formula, column)) in dx.iter().zip(&columns).enumerate() {
            let difference = column[j];
            norm += formula.abs();
            assert!(
                (formula - difference).abs() <= 1e-8 * (1.0 + formula.abs()),
                "{name}: d y[{j}] / d x[{i}] is {difference} but the formula gives {formula}"
            );
        }
    }
    assert!(norm > 0.0, "{name}: the gradient is zero everywhere");
}

fn values(n: usize, seed: u64) -> Vec<f64> {
    let mut source = Source::new(seed, 0);
    (0..n).map(|_| f64::from(source.unit()) * 4.0 - 2.0).collect()
}

const SHAPE: [usize; 3] = [3, 4, 5];

#[test]
fn dense_gradients_are_its_jacobian() {
    let [batch, inputs, outputs] = SHAPE;
    let (x, w, b) = (values(batch * inputs, 1), values(outputs * inputs, 2), values(outputs, 3));
    check("dense_dx", &x, |x| r::dense(x, &w, Some(&b), SHAPE).value, |_, dz| r::dense_dx(dz, &w, SHAPE).value);
    check("dense_dw", &w, |w| r::dense(&x, w, Some(&b), SHAPE).value, |_, dz| r::dense_dw(dz, &x, SHAPE).value);
    check("dense_db", &b, |b| r::dense(&x, &w, Some(b), SHAPE).value, |_, dz| r::dense_db(dz, [batch, outputs]).value);
}

fn elementwise(name: &str, x: &[f64], f: impl Fn(f64) -> f64, grad: impl Fn(f64, f64) -> f64) {
    let each = |x: &[f64], dy: &[f64]| x.iter().zip(dy).map(|(&x, &dy)| grad(x, dy)).collect();
    check(name, x, |x| x.iter().map(|&x| f(x)).collect(), each);
}

#[test]
fn elementwise_gradients_are_their_jacobians() {
    let x = [&values(12, 4)[..], &[-17.0, 9.0, 0.625, 30.0]].concat();
    for f in Map::ALL {
        let (value, grad) = r::function(f);
        // Central differences of exp lose what they look for where it is large.
        let x = if f == Map::Exp { &x[..13] } else { &x };
        elementwise(f.names()[1], x, value, grad);
    }
    assert_eq!((r::relu_grad(0.0, 3.0), r::relu_grad(-0.0, 3.0)), (0.0, 0.0), "relu'(0) = 0");
    assert!(r::sigmoid_grad(40.0, 1.0) > 4e-18, "it does not die where the sigmoid rounds to 1");
    assert!(r::tanh_grad(20.0, 1.0) > 1e-17, "it does not die where tanh rounds to 1");
    assert_eq!((r::abs_grad(0.0, 3.0), r::abs_grad(-0.0, 3.0)), (0.0, 0.0), "abs'(0) = 0");
    elementwise("scale", &x, |x| x * -1.7, |_, dy| dy * -1.7);
    for bounds in [[-0.5, 1.5], [f64::NEG_INFINITY, 0.0], [1.0, f64::INFINITY]] {
        elementwise("clamp_grad", &x, |x| r::clamp(x, bounds), |x, dy| r::clamp_grad(x, dy, bounds));
    }
    assert_eq!([-1.0, 2.0].map(|x| r::clamp_grad(x, 3.0, [-1.0, 2.0])), [3.0; 2], "1 at the bounds");
}

#[test]
fn reductions_and_sums_have_their_gradients() {
    let (x, other) = (values(10, 5), values(10, 6));
    let both = |a: &[f64], b: &[f64], f: fn(f64, f64) -> f64| -> Vec<f64> { a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect() };
    let [add, mul] = [Zip::Add, Zip::Mul].map(r::pair);
    check("add", &x, |x| both(x, &other, add), |_, dy| dy.to_vec());
    check("mul", &x, |x| both(x, &other, mul), |_, dy| both(dy, &other, mul));
    check("mul by the other", &x, |x| both(&other, x, mul), |_, dy| both(dy, &other, mul));
    // As the tape has them: from mul, scale, the gradient of exp, and axpy.
    let terms = r::pair(Zip::KlTerms);
    check("kl_terms by mu", &x, |mu| both(mu, &other, terms), |mu, dy| both(mu, dy, mul).iter().map(|half| half * 2.0).collect());
    check("kl_terms by logvar", &x, |v| both(&other, v, terms), |v, dy| both(&both(v, dy, r::exp_grad), dy, |a, b| a - b));
    check("axpy by b", &x, |b| both(&other, b, |a, b| b * -1.7 + a), |_, dy| dy.iter().map(|dy| dy * -1.7).collect());
    let targets: Vec<f64> = other.iter().map(|t| t.abs() / 2.0).collect();
    let scale = 1.0 / 10.0;
    for f in Term::ALL {
        let slope = f64::from(f.slope());
        let grad = |x: &[f64], t: &[f64], dy: &[f64]| -> Vec<f64> {
            x.iter().zip(t).map(|(&x, &t)| r::reduce_grad(f, x, t, dy[0], slope * scale)).collect()
        };
        // Activities lie between 0 and 1.
        let x: Vec<f64> = if f == Term::RhoKl { x.iter().map(|x| 0.5 + x / 5.0).collect() } else { x.clone() };
        if f == Term::Kl {
            // By mu it is a sum of squares, and its own derivative is that by logvar.
            let by_mu = |mu: &[f64], dy: &[f64]| mu.iter().map(|&mu| r::reduce_grad(Term::SquareSum, mu, mu, dy[0], 2.0 * scale)).collect();
            check("kl by mu", &x, |mu| vec![r::reduce(f, mu, &other, scale).0], by_mu);
            check("kl_grad", &other, |logvar| vec![r::reduce(f, &x, logvar, scale).0], |logvar, dy| grad(&x, logvar, dy));
            continue;
        }
        check(f.names()[1], &x, |x| vec![r::reduce(f, x, &targets, scale).0], |x, dy| grad(x, &targets, dy));
        if f == Term::Mse {
            check("mse_grad of the target", &x, |t| vec![r::reduce(f, &other, t, scale).0], |t, dy| grad(t, &other, dy));
        }
    }
    let label = [4, 0];
    let loss = |z: &[f64]| z.chunks(5).zip(label).map(|(row, label)| r::xent(row, label)).fold(0.0, |sum, x| sum + x) / 2.0;
    let grad = |z: &[f64], dy: f64| -> Vec<f64> {
        let lse: Vec<f64> = z.chunks(5).map(r::lse).collect();
        let hit = |i: usize| f64::from(u8::from(label[i / 5] as usize == i % 5));
        (0..z.len()).map(|i| r::xent_grad(z[i], lse[i / 5], hit(i), dy * 0.5)).collect()
    };
    check("xent_grad", &x, |z| vec![loss(z)], |z, dy| grad(z, dy[0]));
    check("rows", &x, |v| r::rows(v, 3), |_, dy| r::dense_db(dy, [3, 10]).value);
    check("dense_db", &x, |dz| r::dense_db(dz, [2, 5]).value, |_, dy| r::rows(dy, 2));
}

/// What is taken stays what it is where no two numbers are near each other.
#[test]
fn a_choice_passes_gradients_to_what_it_takes() {
    let x = values(21, 8);
    let single = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
    for (columns, taken) in [(7, 3), (21, 5)] {
        let cut = |x: &[f64]| r::cut(&single(x), columns, taken);
        let top = |x: &[f64]| r::select(&single(x), &cut(x), columns, x);
        check("select", &x, top, |x, dy| r::select(&single(x), &cut(x), columns, dy));
    }
    let idle = [5.0, 9.0, 10.0, 11.0, 0.0, 10.0, 3.0];
    check("dead", &x, |x| r::dead(x, &idle, 10.0, -1.0), |_, dy| r::dead(dy, &idle, 10.0, 0.0));
}

/// The three products are linear in each factor, so that each is a derivative of another.
#[test]
fn products_turn_into_each_other() {
    let [batch, inputs, outputs] = SHAPE;
    let (x, w, dz) = (values(batch * inputs, 1), values(outputs * inputs, 2), values(batch * outputs, 3));
    check("dense_dx by dz", &dz, |dz| r::dense_dx(dz, &w, SHAPE).value, |_, g| r::dense(g, &w, None, SHAPE).value);
    check("dense_dx by w", &w, |w| r::dense_dx(&dz, w, SHAPE).value, |_, g| r::dense_dw(&dz, g, SHAPE).value);
    check("dense_dw by dz", &dz, |dz| r::dense_dw(dz, &x, SHAPE).value, |_, g| r::dense(&x, g, None, SHAPE).value);
    check("dense_dw by x", &x, |x| r::dense_dw(&dz, x, SHAPE).value, |_, g| r::dense_dx(&dz, g, SHAPE).value);
}

/// A formula with a swapped sign, a transposed index or a lost factor must not pass.
#[test]
fn wrong_formulas_are_noticed() {
    let [batch, inputs, outputs] = SHAPE;
    let (x, w, b) = (values(batch * inputs, 1), values(outputs * inputs, 2), values(outputs, 3));
    let fails = |run: &(dyn Fn() + std::panic::RefUnwindSafe)| std::panic::catch_unwind(run).is_err();
    assert!(fails(&|| check(
        "sign",
        &x,
        |x| r::dense(x, &w, Some(&b), SHAPE).value,
        |_, dz| r::dense_dx(dz, &w, SHAPE).value.iter().map(|v| -v).collect()
    )));
    assert!(fails(&|| check(
        "transposed",
        &w,
        |w| r::dense(&x, w, Some(&b), SHAPE).value,
        |_, dz| {
            let dw = r::dense_dw(dz, &x, SHAPE).value;
            (0..dw.len()).map(|i| dw[i % outputs * inputs + i / outputs]).collect()
        }
    )));
    assert!(fails(&|| elementwise("factor", &x, r::sigmoid, |x, dy| 0.999 * r::sigmoid_grad(x, dy))));
    assert!(fails(&|| elementwise("leak", &x, r::relu, |x, dy| if x <= 0.0 { 0.01 * dy } else { dy })));
}
