//! The contract: the ops in f32, one rounding after the other in exactly the order that `docs/numerics.md` prescribes.
//! Scalar and slow; the CPU and CUDA must give these bits.

use crate::op::{AdamHyper, BLOCK, CHUNK, LANES, Map, Term, Zip, chunks};

/// Subnormal numbers count as 0 of their sign, as operands and as results.
fn z(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    z(z(a).mul_add(z(b), z(c)))
}

pub(crate) fn add(a: f32, b: f32) -> f32 {
    z(z(a) + z(b))
}

fn minus(a: f32, b: f32) -> f32 {
    z(z(a) - z(b))
}

pub(crate) fn times(a: f32, b: f32) -> f32 {
    z(z(a) * z(b))
}

fn over(a: f32, b: f32) -> f32 {
    z(z(a) / z(b))
}

/// A dense sum: blocks of 256 terms that start from zero and are added in order.
fn blocks(inner: usize, step: impl Fn(usize, f32) -> f32) -> f32 {
    let mut total = 0.0;
    for start in (0..inner).step_by(BLOCK) {
        let mut acc = 0.0;
        for k in start..inner.min(start + BLOCK) {
            acc = step(k, acc);
        }
        total = if start == 0 { acc } else { add(total, acc) };
    }
    total
}

/// x [B, I], w [O, I], b [O] or none: y [B, O], the bias added last.
pub(crate) fn dense(x: &[f32], w: &[f32], b: Option<&[f32]>, [batch, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let sum = |r: usize, o: usize| blocks(inputs, |i, acc| fma(x[r * inputs + i], w[o * inputs + i], acc));
    let y = |r: usize, o: usize| b.map_or_else(|| sum(r, o), |b| add(sum(r, o), b[o]));
    (0..batch * outputs).map(|i| y(i / outputs, i % outputs)).collect()
}

/// dz [B, O], w [O, I]: dx [B, I].
pub(crate) fn dense_dx(dz: &[f32], w: &[f32], [batch, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let dx = |r: usize, i: usize| blocks(outputs, |o, acc| fma(dz[r * outputs + o], w[o * inputs + i], acc));
    (0..batch * inputs).map(|i| dx(i / inputs, i % inputs)).collect()
}

/// dz [B, O], x [B, I]: dw [O, I].
pub(crate) fn dense_dw(dz: &[f32], x: &[f32], [batch, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let dw = |o: usize, i: usize| blocks(batch, |r, acc| fma(dz[r * outputs + o], x[r * inputs + i], acc));
    (0..outputs * inputs).map(|i| dw(i / inputs, i % inputs)).collect()
}

/// dz [B, O]: db [O], plain additions.
pub(crate) fn dense_db(dz: &[f32], [batch, outputs]: [usize; 2]) -> Vec<f32> {
    (0..outputs).map(|o| blocks(batch, |r, acc| add(acc, dz[r * outputs + o]))).collect()
}

/// Both stages of a reduction of n elements. `step` adds element i to its lane.
fn sum(n: usize, step: impl Fn(usize, f32) -> f32) -> f32 {
    let work: Vec<f32> = (0..chunks(n))
        .map(|c| {
            let mut lane = [0.0; LANES];
            for j in 0..CHUNK / LANES {
                for (l, lane) in lane.iter_mut().enumerate() {
                    let i = CHUNK * c + LANES * j + l;
                    if i < n {
                        *lane = step(i, *lane);
                    }
                }
            }
            tree(lane)
        })
        .collect();
    total(&work)
}

/// The second stage.
fn total(parts: &[f32]) -> f32 {
    let mut lane = [0.0; LANES];
    for (i, part) in parts.iter().enumerate() {
        lane[i % LANES] = add(lane[i % LANES], *part);
    }
    tree(lane)
}

fn tree(mut lane: [f32; LANES]) -> f32 {
    for s in [128, 64, 32, 16, 8, 4, 2, 1] {
        for l in 0..s {
            lane[l] = add(lane[l], lane[l + s]);
        }
    }
    lane[0]
}

/// `lane` with one more term of a sum. What is the target of the losses is logvar of kl.
fn term(f: Term, lane: f32, x: f32, target: f32) -> f32 {
    match f {
        Term::Sum => add(lane, x),
        Term::SquareSum => fma(x, x, lane),
        Term::AbsSum => add(lane, x.abs()),
        Term::Mse => {
            let d = minus(x, target);
            fma(d, d, lane)
        }
        Term::Bce => {
            let above = if z(x) > 0.0 { x } else { 0.0 };
            add(lane, add(fma(-x, target, above), log1p(exp(-x.abs()))))
        }
        Term::Kl => add(lane, kl_term(x, target)),
        Term::RhoKl => {
            let (q, rest) = (away(x), minus(1.0, target));
            add(lane, fma(target, ln(over(target, q)), times(rest, ln(over(rest, minus(1.0, q))))))
        }
    }
}

/// Terms without a target ignore it.
pub(crate) fn reduce(f: Term, x: &[f32], target: &[f32], scale: f32) -> f32 {
    times(sum(x.len(), |i, lane| term(f, lane, x[i], target[i])), scale)
}

/// Of kl by logvar, the second number.
pub(crate) fn reduce_grad(f: Term, x: f32, target: f32, dy: f32, scale: f32) -> f32 {
    let s = times(scale, dy);
    match f {
        Term::Sum => s,
        Term::SquareSum => times(s, x),
        Term::AbsSum => abs_grad(x, s),
        Term::Mse => times(s, minus(x, target)),
        Term::Bce => times(s, minus(sigmoid(x), target)),
        Term::Kl => times(s, minus(exp(target), 1.0)),
        Term::RhoKl => times(s, minus(over(minus(1.0, target), minus(1.0, away(x))), over(target, away(x)))),
    }
}

/// 2^-20 away from 0 and 1.
fn away(q: f32) -> f32 {
    let q = if z(q) < hex(0, -20) { hex(0, -20) } else { q };
    if q > 1.0 - hex(0, -20) { 1.0 - hex(0, -20) } else { q }
}

fn kl_term(mu: f32, logvar: f32) -> f32 {
    minus(minus(fma(mu, mu, exp(logvar)), logvar), 1.0)
}

/// The f32 that C writes as 0x1.FFFFFFpE, F the six hexadecimal digits.
pub(crate) const fn hex(fraction: u32, exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23 | fraction >> 1)
}

pub(crate) const LOG2_E: f32 = hex(0x715476, 0);
pub(crate) const ROUND: f32 = hex(0x800000, 23);
pub(crate) const LN2_HIGH: f32 = hex(0x62e400, -1);
pub(crate) const LN2_LOW: f32 = hex(0x7f7d1c, -20);
pub(crate) const EXP: [f32; 5] = [hex(0x6a2352, -10), hex(0x123a6c, -7), hex(0x5558f4, -5), hex(0x555490, -3), hex(0xfffffc, -2)];

pub(crate) fn exp(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let t = fma(x, LOG2_E, ROUND);
    let i = (t.to_bits() as i32).wrapping_sub(0x4B40_0000);
    let n = minus(t, ROUND);
    let r = fma(n, -LN2_HIGH, x);
    let r = fma(n, -LN2_LOW, r);
    let p = EXP[0];
    let p = fma(p, r, EXP[1]);
    let p = fma(p, r, EXP[2]);
    let p = fma(p, r, EXP[3]);
    let p = fma(p, r, EXP[4]);
    let p = fma(p, r, 1.0);
    let p = fma(p, r, 1.0);
    let power = |k: i32| f32::from_bits(((k + 127) as u32) << 23);
    let h = i >> 1;
    times(times(p, power(h)), power(i - h))
}

/// A function of x, and its derivative times dy.
type Function = (fn(f32) -> f32, fn(f32, f32) -> f32);

pub(crate) fn function(f: Map) -> Function {
    match f {
        Map::Relu => (relu, relu_grad),
        Map::Leaky => (leaky, leaky_grad),
        Map::Sigmoid => (sigmoid, sigmoid_grad),
        Map::Tanh => (tanh, tanh_grad),
        Map::Softplus => (softplus, softplus_grad),
        Map::Silu => (silu, silu_grad),
        Map::Exp => (exp, exp_grad),
        Map::Abs => (f32::abs, abs_grad),
    }
}

pub(crate) fn pair(f: Zip) -> fn(f32, f32) -> f32 {
    match f {
        Zip::Add => add,
        Zip::Mul => times,
        Zip::KlTerms => kl_term,
    }
}

fn relu(x: f32) -> f32 {
    if z(x) > 0.0 || x.is_nan() { x } else { 0.0 }
}

fn relu_grad(x: f32, dy: f32) -> f32 {
    if z(x) <= 0.0 { 0.0 } else { dy }
}

fn leaky(x: f32) -> f32 {
    if z(x) > 0.0 { x } else { times(0.01, x) }
}

fn leaky_grad(x: f32, dy: f32) -> f32 {
    if z(x) <= 0.0 { times(0.01, dy) } else { dy }
}

fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let q = add(1.0, e);
    if x >= 0.0 { over(1.0, q) } else { over(e, q) }
}

fn sigmoid_grad(x: f32, dy: f32) -> f32 {
    let e = exp(-x.abs());
    let q = add(1.0, e);
    times(dy, over(e, times(q, q)))
}

fn tanh(x: f32) -> f32 {
    let s = times(x, x);
    let p = -hex(0x75e1cc, -8);
    let p = fma(p, s, hex(0x52269c, -6));
    let p = fma(p, s, -hex(0xb83c5a, -5));
    let p = fma(p, s, hex(0x110726, -3));
    let p = fma(p, s, -hex(0x555532, -2));
    let small = fma(times(x, s), p, x);
    let e = exp(times(-2.0, x.abs()));
    if x.abs() < 0.625 { small } else { over(minus(1.0, e), add(1.0, e)).copysign(x) }
}

fn tanh_grad(x: f32, dy: f32) -> f32 {
    let e = exp(times(-2.0, x.abs()));
    let q = add(1.0, e);
    times(dy, over(times(4.0, e), times(q, q)))
}

fn softplus(x: f32) -> f32 {
    add(if z(x) > 0.0 { x } else { 0.0 }, log1p(exp(-x.abs())))
}

fn softplus_grad(x: f32, dy: f32) -> f32 {
    times(dy, sigmoid(x))
}

fn silu(x: f32) -> f32 {
    times(if x < -104.0 { -104.0 } else { x }, sigmoid(x))
}

fn silu_grad(x: f32, dy: f32) -> f32 {
    let near = if x < -104.0 { -104.0 } else { x };
    let near = if near > 104.0 { 104.0 } else { near };
    let s = sigmoid(x);
    times(dy, fma(times(near, sigmoid(-x)), s, s))
}

fn exp_grad(x: f32, dy: f32) -> f32 {
    times(dy, exp(x))
}

fn abs_grad(x: f32, dy: f32) -> f32 {
    match z(x) {
        x if x > 0.0 => dy,
        x if x < 0.0 => -dy,
        x => {
            if x.is_nan() {
                x
            } else {
                0.0
            }
        }
    }
}

pub(crate) fn clamp(x: f32, [lo, hi]: [f32; 2]) -> f32 {
    let near = if z(x) < z(lo) {
        lo
    } else if z(x) > z(hi) {
        hi
    } else {
        x
    };
    add(near, 0.0)
}

pub(crate) fn clamp_grad(x: f32, dy: f32, [lo, hi]: [f32; 2]) -> f32 {
    if z(x) < z(lo) || z(x) > z(hi) { 0.0 } else { dy }
}

pub(crate) const LOG1P: [f32; 9] = [
    -hex(0xb1f45e, -9),
    hex(0x4a731e, -6),
    -hex(0xd7d268, -5),
    hex(0xb52d92, -4),
    -hex(0x3a62fa, -3),
    hex(0x935406, -3),
    -hex(0xff251a, -3),
    hex(0x554dd8, -2),
    -hex(0xffffd2, -2),
];

/// `log(1 + e)` for e in [0, 1].
pub(crate) fn log1p(e: f32) -> f32 {
    let q = LOG1P[1..].iter().fold(LOG1P[0], |q, &c| fma(q, e, c));
    fma(times(e, e), q, e)
}

pub(crate) const LN: [f32; 9] = [
    -hex(0x381392, -4),
    hex(0x087506, -3),
    -hex(0x0f520a, -3),
    hex(0x226c84, -3),
    -hex(0x5423e8, -3),
    hex(0x99a41c, -3),
    -hex(0x000438, -2),
    hex(0x555550, -2),
    -hex(0xfffff8, -2),
];

/// The natural logarithm.
pub(crate) fn ln(x: f32) -> f32 {
    match z(x) {
        0.0 => return f32::NEG_INFINITY,
        x if x < 0.0 => return f32::NAN,
        x if x.is_nan() || x.is_infinite() => return x,
        _ => {}
    }
    let e = (x.to_bits() as i32 - 0x3F35_04F3) >> 23;
    let f = minus(f32::from_bits((x.to_bits() as i32 - (e << 23)) as u32), 1.0);
    let p = LN[1..].iter().fold(LN[0], |p, &c| fma(p, f, c));
    let r = fma(times(f, f), p, f);
    fma(e as f32, LN2_HIGH, fma(e as f32, LN2_LOW, r))
}

/// Rows of as many columns, one label each: `lse` and the loss of each row. `total` sums 256 apart, as a row here does.
pub(crate) fn xent(x: &[f32], columns: usize, label: &[u32]) -> [Vec<f32>; 2] {
    let lse = |row: &[f32]| {
        let most = row.iter().fold(row[0], |most, &x| if z(x) > z(most) { x } else { most });
        add(most, ln(total(&row.iter().map(|&x| exp(minus(x, most))).collect::<Vec<_>>())))
    };
    let lse: Vec<f32> = x.chunks(columns).map(lse).collect();
    let rows = x.chunks(columns).zip(label).zip(&lse);
    let loss = rows.map(|((row, &label), &lse)| minus(lse, row[(label as usize).min(columns - 1)])).collect();
    [lse, loss]
}

/// `hit`: whether the element's column is the row's label.
pub(crate) fn xent_grad(x: f32, lse: f32, hit: bool, dy: f32) -> f32 {
    times(dy, minus(exp(minus(x, lse)), f32::from(u8::from(hit))))
}

pub(crate) fn clip(x: f32, square: f32, most: f32) -> f32 {
    let factor = over(most, add(square.sqrt(), 1e-6));
    times(x, if factor > 1.0 { 1.0 } else { factor })
}

/// `bits` are the 24 upper bits of the element's random integer.
pub(crate) fn uniform(bits: u32, lo: f32, range: f32) -> f32 {
    fma(bits as f32 * hex(0, -24), range, lo)
}

pub(crate) const SINE: [f32; 4] = [-hex(0x33198c, -8), hex(0x4680a4, -4), -hex(0x4abc24, -1), hex(0x921fb6, 0)];
pub(crate) const COSINE: [f32; 5] = [hex(0xd4f7ee, -11), -hex(0x55b2b6, -6), hex(0x03c1b0, -2), -hex(0x3bd3cc, 0), 1.0];

/// The sine and the cosine of `turn`'s 2^24th part of a turn.
fn sine_and_cosine(turn: u32) -> [f32; 2] {
    let quarter = (turn + (1 << 21)) >> 22;
    let t = times((turn as i32 - (quarter << 22) as i32) as f32, hex(0, -22));
    let w = times(t, t);
    let polynomial = |p: &[f32]| p[1..].iter().fold(p[0], |sum, &c| fma(sum, w, c));
    let (s, c) = (times(polynomial(&SINE), t), polynomial(&COSINE));
    [[s, c], [c, -s], [-s, -c], [-c, s]][quarter as usize % 4]
}

/// Two normal numbers. `length` and `turn` are the 24 upper bits of their two random integers.
pub(crate) fn normal_pair(length: u32, turn: u32, mean: f32, std: f32) -> [f32; 2] {
    let u = times((length + 1) as f32, hex(0, -24));
    let r = times(-2.0, ln(u)).sqrt();
    let [s, c] = sine_and_cosine(turn);
    [fma(times(r, c), std, mean), fma(times(r, s), std, mean)]
}

pub(crate) fn mask(x: f32, bits: u32, keep: u32, factor: f32) -> f32 {
    if bits < keep { times(x, factor) } else { 0.0 }
}

/// {p, m, v} after a step.
pub(crate) fn adam([p, g, m, v]: [f32; 4], [lr, c1, c2, keep]: [f32; 4], hyper: AdamHyper) -> [f32; 3] {
    let AdamHyper { w1, beta2, w2, eps } = hyper;
    let m = fma(w1, minus(g, m), m);
    let v = fma(times(w2, g), g, times(beta2, v));
    let d = fma(v.sqrt(), c2, eps);
    [minus(times(p, keep), over(times(times(lr, c1), m), d)), m, v]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants of the page, read from the page.
    #[test]
    fn constants_are_those_of_the_page() {
        let page = include_str!("../../docs/numerics.md");
        let written = |text: &str| {
            let (digits, exponent) = text.split_once('p').unwrap();
            let digits = format!("{:0<6}", digits);
            hex(u32::from_str_radix(&digits, 16).unwrap(), exponent.parse().unwrap())
        };
        let block = page.split("## exp").nth(1).unwrap().split("\n## ").next().unwrap();
        let found: Vec<f32> = block
            .split("0x1.")
            .skip(1)
            .map(|rest| {
                let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || "p+-".contains(c))).unwrap();
                written(&rest[..end])
            })
            .collect();
        let mut ours = vec![LOG2_E, ROUND, ROUND, LN2_HIGH, LN2_LOW];
        ours.extend(EXP);
        assert_eq!(found, ours);
        assert!((LN2_HIGH as f64 + LN2_LOW as f64 - std::f64::consts::LN_2).abs() < 1e-11);
        assert_eq!(ROUND, 12582912.0);
    }

    #[test]
    fn log1p_is_as_good_as_the_page_says_and_has_its_constants() {
        let page = include_str!("../../docs/numerics.md").split("## log1p").nth(1).unwrap().split("\n## ").next().unwrap();
        for c in LOG1P {
            let (bits, sign) = (c.abs().to_bits(), if c < 0.0 { "-" } else { "" });
            let text = format!("{sign}0x1.{:06x}p{}", (bits & 0x7f_ffff) << 1, (bits >> 23) as i32 - 127);
            assert!(page.contains(&text), "{text}");
        }
        let mut worst: f64 = 0.0;
        for bits in (0x0080_0000..=1f32.to_bits()).step_by(997) {
            let e = f32::from_bits(bits);
            let exact = f64::from(e).ln_1p();
            let ulp = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
            worst = worst.max((f64::from(log1p(e)) - exact).abs() / ulp);
        }
        assert!(worst < 1.05, "{worst} ulp");
        assert_eq!((log1p(0.0), log1p(1.0)), (0.0, std::f32::consts::LN_2));
    }

    /// Whether the section of the page with this title has these constants.
    fn writes(title: &str, constants: &[f32]) {
        let page = include_str!("../../docs/numerics.md").split(&format!("\n## {title}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        for c in constants {
            let (bits, sign) = (c.abs().to_bits(), if *c < 0.0 { "-" } else { "" });
            let text = format!("{sign}0x1.{:06x}p{:+}", (bits & 0x7f_ffff) << 1, (bits >> 23) as i32 - 127);
            assert!(page.contains(&text), "{title}: {text}");
        }
    }

    /// How far `got` is from `exact`, in ulp.
    fn ulp(got: f32, exact: f64) -> f64 {
        let near = (exact as f32).abs();
        (f64::from(got) - exact).abs() / (f64::from(near.next_up()) - f64::from(near))
    }

    #[test]
    fn ln_is_as_good_as_the_page_says_and_has_its_constants() {
        writes("ln", &[&LN[..], &[LN2_HIGH, LN2_LOW]].concat());
        let mut worst: f64 = 0.0;
        let all = (0x0080_0000..f32::INFINITY.to_bits()).step_by(997);
        // Around 1, where the logarithm is small, more of them.
        for bits in all.chain((0.4f32.to_bits()..2.5f32.to_bits()).step_by(17)) {
            let x = f32::from_bits(bits);
            worst = worst.max(ulp(ln(x), f64::from(x).ln()));
        }
        assert!(worst < 0.93, "{worst} ulp");
        assert!([-1.0, f32::NAN, f32::NEG_INFINITY].iter().all(|&x| ln(x).is_nan()));
        assert_eq!([1.0, f32::INFINITY].map(ln), [0.0, f32::INFINITY]);
        assert_eq!([0.0, -0.0, 1e-40, -1e-40].map(ln), [f32::NEG_INFINITY; 4]);
    }

    #[test]
    fn sine_and_cosine_are_as_good_as_the_page_says_and_have_its_constants() {
        writes("Random numbers", &[&SINE[..], &COSINE[..4]].concat());
        let mut worst = [0.0f64; 2];
        for turn in (0..1 << 24).step_by(31).chain((0..16).map(|n| n << 20)) {
            // A pair of a known length, by which it is divided again.
            let length = (2.0 * f64::from(1 << 24).ln()).sqrt();
            let [c, s] = super::super::reference::normal_pair(0, turn).map(|x| x / length);
            for (got, want) in sine_and_cosine(turn).into_iter().zip([s, c]) {
                if want == 0.0 {
                    assert_eq!(got, 0.0, "{turn}");
                    continue;
                }
                let polynomial = usize::from(want.abs() > std::f64::consts::FRAC_1_SQRT_2);
                worst[polynomial] = worst[polynomial].max(ulp(got, want));
            }
        }
        assert!(worst[0] < 1.57 && worst[1] < 0.87, "{worst:?} ulp");
    }

    #[test]
    fn exp_is_within_one_ulp() {
        let mut worst: f64 = 0.0;
        for bits in (0..=u32::MAX).step_by(9973) {
            let x = f32::from_bits(bits);
            if (-87.0..=88.7).contains(&x) {
                let exact = (x as f64).exp();
                let ulp = (exact as f32).next_up() as f64 - exact as f32 as f64;
                worst = worst.max((exp(x) as f64 - exact).abs() / ulp);
            }
        }
        assert!(worst < 0.9, "{worst} ulp");
        assert!(exp(f32::NAN).is_nan());
        assert_eq!((exp(f32::NEG_INFINITY), exp(-0.0), exp(200.0)), (0.0, 1.0, f32::INFINITY));
    }
}
