//! A row made concrete: its operands filled with data, and what must stand in them afterwards.

use super::data::{Kind, SPECIAL, Source, TAME, numbers};
use super::spec::{Same, Spec};
use super::{contract, reference};
use crate::op::{LANES, chunks};

/// Host data of an operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    U8(Vec<u8>),
    U32(Vec<u32>),
}

/// What an op does with an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// Only read: must be untouched afterwards.
    Read,
    /// Written whole: holds NaN before.
    Write,
    /// Read and written.
    Update,
    /// Workspace: anything may stand in it afterwards, but nothing outside it.
    Scratch,
}

/// An operand: what it holds before the op.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) role: Role,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

/// What an operand must hold after the op.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    /// Which operand.
    pub(crate) operand: usize,
    /// The contract's result.
    pub(crate) contract: Data,
    /// The oracle's result and what may be missing to it. `None`: exactly the contract's bits on every device.
    pub(crate) within: Option<Within>,
}

/// `|got - oracle| <= coefficient * scale + roundings * floor * 2^-126`: subnormals count as 0.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    pub(crate) oracle: Vec<f64>,
    /// What the relative error refers to: the sum of absolute terms; the size of the result where there is none.
    pub(crate) scale: Option<Vec<f64>>,
    /// What turns a lost subnormal into an error of the result; 1 where there is none.
    pub(crate) floor: Option<Vec<f64>>,
    /// The coefficient on the CPU and on CUDA.
    pub(crate) ieee: f64,
    /// The coefficient in WGSL.
    pub(crate) wgsl: f64,
    pub(crate) roundings: f64,
}

impl Within {
    pub(crate) fn bound(&self, i: usize, wgsl: bool) -> f64 {
        let coefficient = if wgsl { self.wgsl } else { self.ieee };
        let scale = self.scale.as_ref().map_or(self.oracle[i].abs(), |s| s[i]);
        coefficient * scale + self.roundings * self.floor.as_ref().map_or(1.0, |f| f[i]) * TINY
    }
}

/// A row made concrete.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) operands: Vec<Operand>,
    pub(crate) expects: Vec<Expect>,
}

pub(crate) const U: f64 = 1.0 / (1u64 << 24) as f64;
/// What a number that counts as 0 may have been.
const TINY: f64 = f32::MIN_POSITIVE as f64;
/// 4 ulp, as u.
const FOUR_ULP: f64 = 8.0 * U;

fn gamma(n: f64) -> f64 {
    n * U / (1.0 - n * U)
}

fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// What outputs hold before: a NaN with a payload of our own.
pub(crate) const UNWRITTEN: u32 = 0x7fc0_1234;

fn out(shape: &[usize]) -> Operand {
    let n = shape.iter().product();
    Operand { role: Role::Write, shape: shape.to_vec(), data: Data::F32(vec![f32::from_bits(UNWRITTEN); n]) }
}

fn read(shape: &[usize], data: &[f32]) -> Operand {
    Operand { role: Role::Read, shape: shape.to_vec(), data: Data::F32(data.to_vec()) }
}

fn update(shape: &[usize], data: &[f32]) -> Operand {
    Operand { role: Role::Update, ..read(shape, data) }
}

fn clock(clock: [u32; 2]) -> Operand {
    Operand { role: Role::Read, shape: vec![2], data: Data::U32(clock.to_vec()) }
}

fn exactly(operand: usize, contract: Vec<f32>) -> Expect {
    Expect { operand, contract: Data::F32(contract), within: None }
}

fn within(operand: usize, contract: Vec<f32>, within: Within) -> Expect {
    Expect { operand, contract: Data::F32(contract), within: Some(within) }
}

/// A sum of n rounded terms, exact when the terms are small integers.
fn summed(operand: usize, contract: Vec<f32>, sums: reference::Sums, n: f64, exact: bool) -> Expect {
    if exact {
        debug_assert!(sums.terms.iter().all(|&t| t < (1 << 24) as f64));
    }
    let w =
        Within { oracle: sums.value, scale: Some(sums.terms), floor: None, ieee: gamma(n), wgsl: gamma(2.0 * n), roundings: n.max(1.0) };
    match exact {
        true => Expect { operand, contract: Data::F32(contract), within: Some(Within { ieee: 0.0, wgsl: 0.0, roundings: 0.0, ..w }) },
        false => within(operand, contract, w),
    }
}

/// An elementwise result: `roundings` half ulps relative to its size.
fn rounded(operand: usize, contract: Vec<f32>, oracle: Vec<f64>, roundings: f64, wgsl: f64) -> Expect {
    let w = Within { oracle, scale: None, floor: None, ieee: roundings * U, wgsl: (roundings + wgsl) * U, roundings: roundings.max(1.0) };
    within(operand, contract, w)
}

fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The largest integers whose squared differences still sum up exactly.
fn small_squares(n: usize) -> u32 {
    (1..=8u32).rev().find(|r| n * 4 * (r * r) as usize <= 1 << 24).unwrap_or(1)
}

impl Case {
    pub(crate) fn new(spec: &Spec, kind: Kind, seed: u64) -> Case {
        let make = |operand: u64, n: usize| numbers(kind, n, seed, operand, 8, &SPECIAL);
        // Sums get at most one NaN or infinity, in their first operand: a few more and there would be nothing left to compare.
        let tame = |operand: u64, n: usize, limit: u32| {
            let mut x = numbers(kind, n, seed, operand, limit, &TAME);
            if kind == Kind::Edges && operand == 0 && n > 0 {
                match Source::new(seed, 99).below(4) {
                    1 | 3 => x[n / 2] = f32::NAN,
                    2 => x[n / 2] = f32::NEG_INFINITY,
                    _ => {}
                }
            }
            x
        };
        let exact = kind == Kind::Integers;
        let map2 = |a: &[f32], b: &[f32], f: &dyn Fn(f32, f32) -> f32| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect::<Vec<f32>>();
        let wide2 =
            |a: &[f32], b: &[f32], f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&a, &b)| f(a.into(), b.into())).collect::<Vec<f64>>();
        let (operands, expects) = match spec {
            &Spec::Dense(s @ [batch, inputs, outputs]) => {
                let (x, w, b) = (tame(0, batch * inputs, 8), tame(1, outputs * inputs, 8), tame(2, outputs, 8));
                let sums = reference::dense(&f64s(&x), &f64s(&w), &f64s(&b), s);
                let y = summed(3, contract::dense(&x, &w, &b, s), sums, inputs as f64 + 1.0, exact);
                let operands = vec![read(&[batch, inputs], &x), read(&[outputs, inputs], &w), read(&[outputs], &b), out(&[batch, outputs])];
                (operands, vec![y])
            }
            &Spec::DenseDx(s @ [batch, inputs, outputs]) => {
                let (dz, w) = (tame(0, batch * outputs, 8), tame(1, outputs * inputs, 8));
                let sums = reference::dense_dx(&f64s(&dz), &f64s(&w), s);
                let dx = summed(2, contract::dense_dx(&dz, &w, s), sums, outputs as f64, exact);
                (vec![read(&[batch, outputs], &dz), read(&[outputs, inputs], &w), out(&[batch, inputs])], vec![dx])
            }
            &Spec::DenseDw(s @ [batch, inputs, outputs]) => {
                let (dz, x) = (tame(0, batch * outputs, 8), tame(1, batch * inputs, 8));
                let sums = reference::dense_dw(&f64s(&dz), &f64s(&x), s);
                let dw = summed(2, contract::dense_dw(&dz, &x, s), sums, batch as f64, exact);
                (vec![read(&[batch, outputs], &dz), read(&[batch, inputs], &x), out(&[outputs, inputs])], vec![dw])
            }
            &Spec::DenseDb(s @ [batch, outputs]) => {
                let dz = tame(0, batch * outputs, 8);
                let db = summed(1, contract::dense_db(&dz, s), reference::dense_db(&f64s(&dz), s), batch as f64, exact);
                (vec![read(&s, &dz), out(&[outputs])], vec![db])
            }
            Spec::Relu(s) => {
                let x = make(0, len(s));
                let oracle = x.iter().map(|&x| reference::relu(x.into())).collect();
                let y = rounded(1, x.iter().map(|&x| contract::relu(x)).collect(), oracle, 0.0, 0.0);
                (vec![read(s, &x), out(s)], vec![sharp(y, exact)])
            }
            Spec::ReluGrad(s) => {
                // A subnormal x counts as 0, and then dy is lost whole: no bound could say so, and none stands in x.
                let (x, dy) = (make(0, len(s)), make(1, len(s)));
                let x: Vec<f32> = x.into_iter().map(|x| if x.is_subnormal() { 1e-30 } else { x }).collect();
                let dx = rounded(2, map2(&x, &dy, &contract::relu_grad), wide2(&x, &dy, &reference::relu_grad), 0.0, 0.0);
                (vec![read(s, &x), read(s, &dy), out(s)], vec![sharp(dx, true)])
            }
            Spec::Sigmoid(s) => {
                let x = make(0, len(s));
                let oracle = x.iter().map(|&x| reference::sigmoid(x.into())).collect();
                // exp is good to 4 ulp, of which the sum and the quotient leave all in the tail; two roundings more.
                let y = rounded(1, x.iter().map(|&x| contract::sigmoid(x)).collect(), oracle, 10.0, FOUR_ULP / U);
                (vec![read(s, &x), out(s)], vec![y])
            }
            Spec::SigmoidGrad(s) => {
                let (x, dy) = (make(0, len(s)), make(1, len(s)));
                let oracle = wide2(&x, &dy, &reference::sigmoid_grad);
                let floor = Some(dy.iter().map(|dy| f64::from(dy.abs()) + 1.0).collect());
                let w = Within { oracle, scale: None, floor, ieee: 14.0 * U, wgsl: 14.0 * U + FOUR_ULP, roundings: 6.0 };
                (vec![read(s, &x), read(s, &dy), out(s)], vec![within(2, map2(&x, &dy, &contract::sigmoid_grad), w)])
            }
            Spec::Tanh(s) => {
                let x = make(0, len(s));
                let oracle = x.iter().map(|&x| reference::tanh(x.into())).collect();
                // Above 0.625 e is at most 0.29, so its error of 4 ulp counts for less than half in the difference and in the sum.
                let y = rounded(1, x.iter().map(|&x| contract::tanh(x)).collect(), oracle, 8.0, FOUR_ULP / U);
                (vec![read(s, &x), out(s)], vec![y])
            }
            Spec::TanhGrad(s) => {
                let (x, dy) = (make(0, len(s)), make(1, len(s)));
                let oracle = wide2(&x, &dy, &reference::tanh_grad);
                let floor = Some(dy.iter().map(|dy| 4.0 * f64::from(dy.abs()) + 1.0).collect());
                let w = Within { oracle, scale: None, floor, ieee: 14.0 * U, wgsl: 14.0 * U + FOUR_ULP, roundings: 6.0 };
                (vec![read(s, &x), read(s, &dy), out(s)], vec![within(2, map2(&x, &dy, &contract::tanh_grad), w)])
            }
            Spec::Mse(s, scale) => {
                let n = len(s);
                let (mut y, mut target) = (tame(0, n, small_squares(n)), tame(1, n, small_squares(n)));
                if kind == Kind::Reals && n > LANES && n % 2 == 1 {
                    // Only the first lane has terms, 1 and 4097^2 = 2^24 + 2^13 + 1: a product that is rounded before it is added shows. Among
                    // 256 lanes of any numbers it seldom would.
                    y.copy_from_slice(&target);
                    (y[0], target[0], y[LANES], target[LANES]) = (1.0, 0.0, 0.0, 4097.0);
                }
                let oracle = reference::mse(&f64s(&y), &f64s(&target), f64::from(*scale));
                let sums = reference::Sums { value: vec![oracle], terms: vec![oracle.abs()] };
                let depth = 36.0 + chunks(n).div_ceil(256) as f64;
                let loss = summed(3, vec![contract::mse(&y, &target, *scale)], sums, depth, exact);
                (vec![read(s, &y), read(s, &target), scratch(n), out(&[1])], vec![loss])
            }
            Spec::MseGrad(s, scale) => {
                let (y, target, dloss) = (tame(0, len(s), 8), tame(1, len(s), 8), [[2.0, 0.75, -1.0][seed as usize % 3]]);
                let oracle = wide2(&y, &target, &|y, t| reference::mse_grad(y, t, dloss[0].into(), (*scale).into()));
                let floor = Some(wide2(&y, &target, &|y, t| 1.0 + (y - t).abs() + f64::from(scale.abs())));
                let w = Within { oracle, scale: None, floor, ieee: 3.0 * U, wgsl: 3.0 * U, roundings: 3.0 };
                let dy = within(3, map2(&y, &target, &|y, t| contract::mse_grad(y, t, dloss[0], *scale)), w);
                (vec![read(s, &y), read(s, &target), read(&[1], &dloss), out(s)], vec![sharp(dy, exact)])
            }
            Spec::Bce(s, scale) => {
                let n = len(s);
                let (z, target) = (tame(0, n, 8), tame(1, n, 8));
                let (value, terms) = reference::bce(&f64s(&z), &f64s(&target), f64::from(*scale));
                // exp and log1p, which need not be good to more than 4 ulp each, stand in place of one rounding.
                let depth = 36.0 + 16.0 + chunks(n).div_ceil(256) as f64;
                let loss = vec![contract::bce(&z, &target, *scale)];
                let loss = summed(3, loss, reference::Sums { value: vec![value], terms: vec![terms] }, depth, false);
                (vec![read(s, &z), read(s, &target), scratch(n), out(&[1])], vec![loss])
            }
            Spec::BceGrad(s, scale) => {
                let (z, target, dloss) = (make(0, len(s)), tame(1, len(s), 8), [[2.0, 0.75, -1.0][seed as usize % 3]]);
                let factor = f64::from(*scale) * f64::from(dloss[0]);
                let oracle = wide2(&z, &target, &|z, t| reference::bce_grad(z, t, dloss[0].into(), (*scale).into()));
                // The sigmoid is good to 10; the difference and both products add one each.
                let terms = Some(wide2(&z, &target, &|z, t| factor.abs() * (reference::sigmoid(z) + t.abs())));
                let floor = Some(wide2(&z, &target, &|_, t| 2.0 + t.abs() + factor.abs() + f64::from(scale.abs())));
                let w = Within { oracle, scale: terms, floor, ieee: 13.0 * U, wgsl: 13.0 * U + FOUR_ULP, roundings: 4.0 };
                let dz = within(3, map2(&z, &target, &|z, t| contract::bce_grad(z, t, dloss[0], *scale)), w);
                (vec![read(s, &z), read(s, &target), read(&[1], &dloss), out(s)], vec![dz])
            }
            Spec::SquareSum(s) => {
                let n = len(s);
                let x = tame(0, n, small_squares(n));
                let value = reference::mse(&f64s(&x), &vec![0.0; n], 1.0);
                let depth = 36.0 + chunks(n).div_ceil(256) as f64;
                let sums = reference::Sums { value: vec![value], terms: vec![value.abs()] };
                (vec![read(s, &x), scratch(n), out(&[1])], vec![summed(2, vec![contract::square_sum(&x)], sums, depth, exact)])
            }
            &Spec::Clip(ref s, most, square, same) => {
                let x = make(0, len(s));
                let oracle = x.iter().map(|&x| reference::clip(x.into(), square.into(), most.into())).collect();
                // The root, the sum, the quotient and the product; in WGSL 4 ulp more for the root and for the quotient.
                let w = Within { oracle, scale: None, floor: None, ieee: 4.0 * U, wgsl: 4.0 * U + 2.0 * FOUR_ULP, roundings: 2.0 };
                let y = |i| within(i, x.iter().map(|&x| contract::clip(x, square, most)).collect(), w.clone());
                let total = read(&[1], &[square]);
                match same {
                    Same::None => (vec![read(s, &x), total, out(s)], vec![y(2)]),
                    _ => (vec![update(s, &x), total], vec![y(0)]),
                }
            }
            Spec::Sum(s) => {
                let n = len(s);
                let x = tame(0, n, if n > 1 << 21 { 1 } else { 8 });
                let (value, terms) = reference::sum(&f64s(&x));
                let depth = 32.0 + chunks(n).div_ceil(256) as f64;
                let y = summed(2, vec![contract::sum(&x)], reference::Sums { value: vec![value], terms: vec![terms] }, depth, exact);
                (vec![read(s, &x), scratch(n), out(&[1])], vec![y])
            }
            Spec::Broadcast(s) => {
                let x = if kind == Kind::Edges { vec![SPECIAL[SPECIAL.len() - 1 - Source::new(seed, 99).below(5)]] } else { make(0, 1) };
                (vec![read(&[1], &x), out(s)], vec![exactly(1, vec![x[0]; len(s)])])
            }
            Spec::Add(s, same) => {
                let (a, b) = (make(0, len(s)), make(1, len(s)));
                let b = if matches!(same, Same::Operands | Same::All) { a.clone() } else { b };
                let y = |i| sharp(rounded(i, map2(&a, &b, &contract::add), wide2(&a, &b, &|a, b| a + b), 1.0, 0.0).more_flushes(), exact);
                match same {
                    Same::None => (vec![read(s, &a), read(s, &b), out(s)], vec![y(2)]),
                    Same::First => (vec![update(s, &a), read(s, &b)], vec![y(0)]),
                    Same::Second => (vec![read(s, &a), update(s, &b)], vec![y(1)]),
                    Same::Operands => (vec![read(s, &a), out(s)], vec![y(1)]),
                    Same::All => (vec![update(s, &a)], vec![y(0)]),
                }
            }
            &Spec::Scale(ref s, factor, same) => {
                let x = make(0, len(s));
                let oracle = x.iter().map(|&x| f64::from(x) * f64::from(factor)).collect();
                let y = |i| {
                    let floor = Some(vec![1.0 + f64::from(factor.abs()); x.len()]);
                    let mut y = rounded(i, x.iter().map(|&x| contract::times(x, factor)).collect(), oracle, 1.0, 0.0);
                    y.within.as_mut().unwrap().floor = floor;
                    sharp(y, exact && factor.fract() == 0.0)
                };
                match same {
                    Same::None => (vec![read(s, &x), out(s)], vec![y(1)]),
                    _ => (vec![update(s, &x)], vec![y(0)]),
                }
            }
            Spec::Fill(s, value) => (vec![out(s)], vec![exactly(0, vec![*value; len(s)])]),
            Spec::Copy(s) => {
                let x = make(0, len(s));
                (vec![read(s, &x), out(s)], vec![exactly(1, x)])
            }
            Spec::Gather { items, row, order, batch, cursor, bytes, beyond } => {
                let mut source = Source::new(seed, 9);
                let reach = if *beyond { items + 3 } else { *items };
                let mut order: Vec<u32> = (0..*order).map(|_| source.below(reach) as u32).collect();
                if *beyond && !order.is_empty() {
                    let at = (*cursor as usize + 1) % order.len();
                    order[at] = u32::MAX;
                }
                let shape = |rows: usize| [&[rows], &row[..]].concat();
                let (columns, n) = (len(row), items * len(row));
                let pick = |data: &[f32]| reference::gather(data, columns, &order, *cursor as usize, *batch);
                let (data, y) = if *bytes {
                    let bytes: Vec<u8> = (0..n).map(|i| if i < 256 { (i + 1) as u8 } else { source.next() as u8 }).collect();
                    let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
                    (Data::U8(bytes), pick(&floats))
                } else {
                    let floats = make(0, n);
                    let y = pick(&floats);
                    (Data::F32(floats), y)
                };
                let data = Operand { role: Role::Read, shape: shape(*items), data };
                let entries = Operand { role: Role::Read, shape: vec![order.len()], data: Data::U32(order) };
                (vec![data, entries, clock([*cursor, 77]), out(&shape(*batch))], vec![exactly(3, y)])
            }
            &Spec::Advance { clock: before, rows, period } => {
                let after = reference::advance(before, rows, period);
                let expect = Expect { operand: 0, contract: Data::U32(after.to_vec()), within: None };
                (vec![Operand { role: Role::Update, ..clock(before) }], vec![expect])
            }
            Spec::Store { entries, shape, clock: at } => {
                let n = len(shape);
                let x = if kind == Kind::Edges && n == 1 {
                    vec![[f32::NAN, f32::NEG_INFINITY][Source::new(seed, 99).below(2)]]
                } else {
                    make(0, n)
                };
                let before = numbers(Kind::Reals, entries * n, seed, 1, 8, &[]);
                let mut after = before.clone();
                after[at[1] as usize % entries * n..][..n].copy_from_slice(&x);
                (vec![read(shape, &x), clock(*at), update(&[*entries, n], &before)], vec![exactly(2, after)])
            }
            Spec::Uniform { shape, lo, range, seed, purpose, clock: at } => {
                let bits: Vec<u32> = (0..len(shape)).map(|i| reference::uniform_bits(i, *seed, *purpose, at[1])).collect();
                let (wide_lo, wide_range) = (f64::from(*lo), f64::from(*range));
                let oracle = bits.iter().map(|&b| wide_lo + f64::from(b) * U * wide_range).collect();
                let scale = Some(bits.iter().map(|&b| wide_lo.abs() + f64::from(b) * U * wide_range.abs()).collect());
                let w = Within { oracle, scale, floor: None, ieee: U, wgsl: 2.0 * U, roundings: 2.0 };
                let y = within(1, bits.iter().map(|&b| contract::uniform(b, *lo, *range)).collect(), w);
                (vec![clock(*at), out(shape)], vec![sharp(y, exact)])
            }
            Spec::Adam { shape, steps, clock: at, hyper } => super::adam::case(shape, *steps, *at, *hyper, kind, seed),
        };
        Case { operands, expects }
    }
}

fn scratch(n: usize) -> Operand {
    Operand { role: Role::Scratch, ..out(&[chunks(n)]) }
}

/// No error at all is allowed where every step is exact.
fn sharp(mut expect: Expect, exact: bool) -> Expect {
    if let (true, Some(w)) = (exact, &mut expect.within) {
        (w.ieee, w.wgsl, w.roundings) = (0.0, 0.0, 0.0);
    }
    expect
}

impl Expect {
    /// Two operands and the result may each flush.
    fn more_flushes(mut self) -> Expect {
        if let Some(w) = &mut self.within {
            w.roundings = 3.0;
        }
        self
    }
}
