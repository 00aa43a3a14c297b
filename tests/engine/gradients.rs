//! Gradients of random graphs against forward-mode dual numbers in f64: the tape differentiates backward, the mirror
//! forward, and the two share nothing but the graph.

use narrows::{Clock, Device, Level, Params, Tape, Tensor, Val};
use std::panic::AssertUnwindSafe;

/// A number with its derivatives with respect to every scalar parameter, and with what bounds the f32 error of both:
/// the same computations on absolute values, so that a cancellation is known for what it is.
#[derive(Clone, Debug)]
struct Dual {
    v: f64,
    size: f64,
    d: Vec<f64>,
    sizes: Vec<f64>,
}

impl Dual {
    fn constant(v: f64, n: usize) -> Dual {
        Dual { v, size: v.abs(), d: vec![0.0; n], sizes: vec![0.0; n] }
    }

    /// `v` with the derivative `slope` to this number; `gain` bounds the slope and its error.
    fn map(&self, v: f64, size: f64, slope: f64, gain: f64) -> Dual {
        Dual { v, size, d: self.d.iter().map(|d| d * slope).collect(), sizes: self.sizes.iter().map(|s| s * gain).collect() }
    }

    fn add(&self, other: &Dual) -> Dual {
        let both = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        Dual { v: self.v + other.v, size: self.size + other.size, d: both(&self.d, &other.d), sizes: both(&self.sizes, &other.sizes) }
    }

    fn scale(&self, factor: f64) -> Dual {
        self.map(self.v * factor, self.size * factor.abs(), factor, factor.abs())
    }

    fn mul(&self, other: &Dual) -> Dual {
        let d = self.d.iter().zip(&other.d).map(|(a, b)| a * other.v + b * self.v).collect();
        let sizes = self.sizes.iter().zip(&other.sizes).map(|(a, b)| a * other.size + b * self.size).collect();
        Dual { v: self.v * other.v, size: self.size * other.size, d, sizes }
    }

    fn relu(&self) -> Dual {
        let on = f64::from(self.v > 0.0);
        self.map(self.v * on, self.size * on, on, on)
    }

    /// How far this number is from a wanted activity: between 0 and 1, not near them.
    fn rho_kl(&self, rho: f64) -> Dual {
        let (q, rest, off) = (self.v, 1.0 - rho, 1.0 - self.v);
        let (a, b) = (rho * (rho / q).ln(), rest * (rest / off).ln());
        let size = rho / q + rest / off;
        let gain = size * (1.0 + self.size * (1.0 / q + 1.0 / off));
        self.map(a + b, a.abs() + b.abs() + 1.0 + size * self.size, rest / off - rho / q, gain)
    }

    fn sigmoid(&self) -> Dual {
        let s = 1.0 / (1.0 + (-self.v).exp());
        let slope = s * (1.0 - s);
        // An error of x changes the slope by at most as many parts: |s''| <= s'.
        self.map(s, s + slope * self.size, slope, slope * (1.0 + self.size))
    }

    fn leaky(&self) -> Dual {
        self.scale(if self.v > 0.0 { 1.0 } else { 0.01 })
    }

    fn softplus(&self) -> Dual {
        let s = 1.0 / (1.0 + (-self.v).exp());
        let v = self.v.max(0.0) + (-self.v.abs()).exp().ln_1p();
        self.map(v, v + s * self.size, s, s * (1.0 + self.size))
    }

    fn silu(&self) -> Dual {
        let s = 1.0 / (1.0 + (-self.v).exp());
        let rest = self.v * s * (1.0 - s);
        // |y''| is at most 1/2.
        let gain = s + rest.abs() + self.size / 2.0;
        self.map(self.v * s, self.v.abs() * s + gain * self.size, s + rest, gain)
    }

    fn exp(&self) -> Dual {
        let e = self.v.exp();
        self.map(e, e * (1.0 + self.size), e, e * (1.0 + self.size))
    }

    /// Of N(this, exp(logvar)) from N(0, 1), twice.
    fn divergence(&self, logvar: &Dual) -> Dual {
        let one = Dual::constant(-1.0, self.d.len());
        self.mul(self).add(&logvar.exp()).add(&logvar.scale(-1.0)).add(&one)
    }

    fn abs(&self) -> Dual {
        self.scale(self.v.signum())
    }

    fn clamp(&self, [lo, hi]: [f64; 2]) -> Dual {
        let inside = f64::from(self.v >= lo && self.v <= hi);
        let v = self.v.clamp(lo, hi);
        self.map(v, self.size * inside + v.abs(), inside, inside)
    }

    /// How far it is from where a derivative jumps, in parts of its error bound.
    fn margin(&self, jump: f64) -> f64 {
        if self.size == 0.0 { f64::INFINITY } else { (self.v - jump).abs() / self.size }
    }

    /// The binary cross-entropy of this number's sigmoid and a constant.
    fn bce(&self, t: f64) -> Dual {
        let s = 1.0 / (1.0 + (-self.v).exp());
        let log = (-self.v.abs()).exp().ln_1p();
        let slope = s - t;
        self.map(self.v.max(0.0) - self.v * t + log, (1.0 + t.abs()) * self.size + log, slope, s + t.abs() + self.size)
    }

    /// The cross-entropy of the softmax of a row and a label.
    fn xent(row: &[Dual], label: usize) -> Dual {
        let most = row.iter().fold(f64::NEG_INFINITY, |most, x| most.max(x.v));
        let all = most + row.iter().map(|x| (x.v - most).exp()).sum::<f64>().ln();
        let size = row.iter().fold(0.0, |size: f64, x| size.max(x.size));
        let of = |(c, x): (usize, &Dual)| {
            let (p, hit) = ((x.v - all).exp(), f64::from(u8::from(c == label)));
            // An error of the row's numbers counts at most twice in the exponent.
            x.map(0.0, 0.0, p - hit, p * (1.0 + 2.0 * size) + hit)
        };
        let zero = Dual::constant(0.0, row[0].d.len());
        let sum = row.iter().enumerate().map(of).fold(zero, |sum, x| sum.add(&x));
        Dual { v: all - row[label].v, size: 1.0 + all.abs() + 2.0 * size, ..sum }
    }

    fn tanh(&self) -> Dual {
        let t = self.v.tanh();
        let slope = 1.0 - t * t;
        // |t''| <= 2 t'.
        self.map(t, t.abs() + slope * self.size, slope, slope * (1.0 + 2.0 * self.size))
    }
}

/// A function on the tape and in the mirror.
type Map = (fn(&mut Tape, Val) -> narrows::Result<Val>, fn(&Dual) -> Dual);

/// The functions of one number.
#[rustfmt::skip]
const MAPS: &[Map] = &[
    (Tape::relu, Dual::relu),
    (Tape::leaky, Dual::leaky),
    (Tape::sigmoid, Dual::sigmoid),
    (Tape::tanh, Dual::tanh),
    (Tape::softplus, Dual::softplus),
    (Tape::silu, Dual::silu),
    (Tape::exp, Dual::exp),
    (Tape::abs, Dual::abs),
];

/// Up to this size numbers go into exp and into products: from there it takes more than twenty ops to leave the range
/// of f32.
const SMALL: f64 = 8.0;

/// A value of both worlds: on the tape, and in the mirror.
#[derive(Clone)]
struct Node {
    val: Val,
    dims: [usize; 2],
    mirror: Vec<Dual>,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    /// In [-1, 1).
    fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn numbers(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.number()).collect()
    }
}

struct Graph {
    tape: Tape,
    params: Params,
    /// Name, dimensions, first scalar, numbers.
    layout: Vec<(String, Vec<usize>, usize, Vec<f32>)>,
    scalars: usize,
    nodes: Vec<Node>,
    /// How often each node was used.
    uses: Vec<usize>,
    /// The smallest distance of a function's argument from 0, in parts of its error bound.
    margin: f64,
}

const COLUMNS: [usize; 4] = [1, 3, 5, 8];
const LAYERS: usize = 3;

impl Graph {
    fn new(device: &Device, random: &mut Random, rows: usize) -> narrows::Result<Graph> {
        // Layers that lead from each width to each: w then b. And matrices of the batch's size, and one that is never
        // used.
        let mut layout: Vec<(String, Vec<usize>)> = Vec::new();
        for n in 0..LAYERS {
            let (i, o) = (COLUMNS[random.below(4)], COLUMNS[random.below(4)]);
            layout.push((format!("{n}.weight"), vec![o, i]));
            layout.push((format!("{n}.bias"), vec![o]));
        }
        layout.push(("unreached".into(), vec![2, 3]));
        layout.push(("start".into(), vec![rows, COLUMNS[random.below(4)]]));
        let params = Params::new(device, &layout)?;
        let mut first = 0;
        let mut full = Vec::new();
        for (name, dims) in layout {
            let n: usize = dims.iter().product();
            let fan = if name.ends_with("weight") { (dims[1] as f32).sqrt() } else { 1.0 };
            let numbers: Vec<f32> = random.numbers(n).into_iter().map(|x| x / fan).collect();
            params.write(&name, &numbers)?;
            full.push((name, dims, first, numbers));
            first += n;
        }
        let tape = Tape::new(device);
        Ok(Graph { tape, params, layout: full, scalars: first, nodes: vec![], uses: vec![], margin: f64::INFINITY })
    }

    fn keep(&mut self, val: Val, dims: [usize; 2], mirror: Vec<Dual>) {
        self.nodes.push(Node { val, dims, mirror });
        self.uses.push(0);
    }

    fn take(&mut self, at: usize) -> Node {
        self.uses[at] += 1;
        self.nodes[at].clone()
    }

    /// A parameter in both worlds.
    fn param(&mut self, name: &str) -> narrows::Result<(Val, Vec<usize>, Vec<Dual>)> {
        let (_, dims, first, numbers) = self.layout.iter().find(|l| l.0 == name).unwrap().clone();
        let mirror = numbers.iter().enumerate().map(|(i, &v)| {
            let mut dual = Dual::constant(v.into(), self.scalars);
            (dual.d[first + i], dual.sizes[first + i]) = (1.0, 1.0);
            dual
        });
        let mirror = mirror.collect();
        Ok((self.tape.param(&self.params, name)?, dims, mirror))
    }

    fn constant(&mut self, random: &mut Random, dims: [usize; 2]) -> narrows::Result<()> {
        let numbers = random.numbers(dims[0] * dims[1]);
        let device = self.tape.device().clone();
        let val = self.tape.input(&Tensor::new(&device, &numbers, &dims)?)?;
        let mirror = numbers.iter().map(|&v| Dual::constant(v.into(), self.scalars)).collect();
        self.keep(val, dims, mirror);
        Ok(())
    }

    /// One random op on random nodes; those made last are likelier.
    fn grow(&mut self, random: &mut Random) -> narrows::Result<()> {
        let n = self.nodes.len();
        let at = if random.below(2) == 0 { n - 1 } else { random.below(n) };
        let x = self.take(at);
        let small = x.mirror.iter().all(|d| d.size < SMALL);
        match random.below(18) {
            0..3 => {
                let (map, dual) = MAPS[random.below(MAPS.len())];
                if !small && dual as usize == Dual::exp as fn(&Dual) -> Dual as usize {
                    return Ok(());
                }
                let val = map(&mut self.tape, x.val)?;
                // Some derivatives jump at 0.
                self.margin = x.mirror.iter().fold(self.margin, |least, d| least.min(d.margin(0.0)));
                self.keep(val, x.dims, x.mirror.iter().map(dual).collect());
            }
            3 => {
                let factor = 1.5 * random.number();
                let val = self.tape.scale(x.val, factor)?;
                self.keep(val, x.dims, x.mirror.iter().map(|d| d.scale(factor.into())).collect());
            }
            4 => {
                // Another of the same shape, or itself: x + x.
                let others: Vec<usize> = (0..n).filter(|&i| self.nodes[i].dims == x.dims).collect();
                let other = others[random.below(others.len())];
                let y = self.take(other);
                let val = self.tape.add(x.val, y.val)?;
                self.keep(val, x.dims, x.mirror.iter().zip(&y.mirror).map(|(a, b)| a.add(b)).collect());
            }
            5 => {
                // What is dropped is read from the mask of ones.
                let clock = Clock::new(self.tape.device())?;
                let ones = Tensor::new(self.tape.device(), &vec![1.0; x.mirror.len()], &x.dims)?;
                let ones = self.tape.input(&ones)?;
                let seed = random.next();
                let mask = self.tape.mask(ones, 0.3, true, seed, 5, &clock)?;
                let factors = self.tape.read(mask)?;
                let val = self.tape.mask(x.val, 0.3, true, seed, 5, &clock)?;
                self.keep(val, x.dims, x.mirror.iter().zip(factors).map(|(d, factor)| d.scale(factor.into())).collect());
            }
            6 => {
                let fits: Vec<usize> = (0..LAYERS).filter(|l| self.layout[2 * l].1[0] == x.dims[1]).collect();
                if fits.is_empty() {
                    return Ok(());
                }
                let (w, w_dims, w_mirror) = self.param(&format!("{}.weight", fits[random.below(fits.len())]))?;
                let val = self.tape.dense_dx(x.val, w)?;
                let [rows, outputs] = x.dims;
                let zero = Dual::constant(0.0, self.scalars);
                let dx = |r: usize, i: usize| {
                    let term = |o: usize| x.mirror[r * outputs + o].mul(&w_mirror[o * w_dims[1] + i]);
                    (0..outputs).fold(zero.clone(), |sum, o| sum.add(&term(o)))
                };
                let mirror = (0..rows * w_dims[1]).map(|i| dx(i / w_dims[1], i % w_dims[1])).collect();
                self.keep(val, [rows, w_dims[1]], mirror);
            }
            7 => {
                let others: Vec<usize> = (0..n).filter(|&i| self.nodes[i].dims[0] == x.dims[0]).collect();
                let y = self.take(others[random.below(others.len())]);
                let val = self.tape.dense_dw(x.val, y.val)?;
                let ([rows, outputs], inputs) = (x.dims, y.dims[1]);
                let zero = Dual::constant(0.0, self.scalars);
                let dw = |o: usize, i: usize| {
                    let term = |r: usize| x.mirror[r * outputs + o].mul(&y.mirror[r * inputs + i]);
                    (0..rows).fold(zero.clone(), |sum, r| sum.add(&term(r)))
                };
                let mirror = (0..outputs * inputs).map(|i| dw(i / inputs, i % inputs)).collect();
                self.keep(val, [outputs, inputs], mirror);
            }
            8 => {
                // A row for each row of x: the sum of its rows.
                let sum = self.tape.dense_db(x.val)?;
                let val = self.tape.rows(sum, x.dims[0])?;
                let [rows, columns] = x.dims;
                let zero = Dual::constant(0.0, self.scalars);
                let column = |c: usize| (0..rows).fold(zero.clone(), |sum, r| sum.add(&x.mirror[r * columns + c]));
                let mirror = (0..rows * columns).map(|i| column(i % columns)).collect();
                self.keep(val, x.dims, mirror);
            }
            9 => {
                // With another of the same shape, or itself.
                let others: Vec<usize> = (0..n).filter(|&i| self.nodes[i].dims == x.dims).collect();
                let y = self.take(others[random.below(others.len())]);
                let (factor, both) = (1.5 * random.number(), || x.mirror.iter().zip(&y.mirror));
                let small = small && y.mirror.iter().all(|d| d.size < SMALL);
                let (val, mirror): (_, Vec<Dual>) = match random.below(3) {
                    1 if small => (self.tape.mul(x.val, y.val)?, both().map(|(a, b)| a.mul(b)).collect()),
                    2 if small => (self.tape.kl_terms(x.val, y.val)?, both().map(|(mu, logvar)| mu.divergence(logvar)).collect()),
                    _ => (self.tape.axpy(x.val, y.val, factor)?, both().map(|(a, b)| a.add(&b.scale(factor.into()))).collect()),
                };
                self.keep(val, x.dims, mirror);
            }
            11 => {
                let device = self.tape.device().clone();
                let (clock, table) = (Clock::new(&device)?, random.numbers(6));
                let column = random.below(3);
                let val = self.tape.scale_by(x.val, &Tensor::new(&device, &table, &[2, 3])?, column, &clock)?;
                self.keep(val, x.dims, x.mirror.iter().map(|d| d.scale(table[column].into())).collect());
            }
            10 => {
                let bounds @ [lo, hi] = [[-0.5, 0.25], [f32::NEG_INFINITY, 0.5], [-0.125, f32::INFINITY]][random.below(3)];
                let wide = bounds.map(f64::from);
                let val = self.tape.clamp(x.val, lo, hi)?;
                self.margin = wide.iter().fold(self.margin, |least, &at| x.mirror.iter().fold(least, |least, d| least.min(d.margin(at))));
                self.keep(val, x.dims, x.mirror.iter().map(|d| d.clamp(wide)).collect());
            }
            12 => {
                let k = 1 + random.below(x.dims[1]);
                let batch = random.below(2) == 0;
                let val = if batch { self.tape.batch_topk(x.val, k)? } else { self.tape.topk(x.val, k)? };
                // What is taken is decided by the numbers of the device, and its gradients by the mirror.
                let numbers = self.tape.read(x.val)?;
                let (row, k) = if batch { (numbers.len(), k * x.dims[0]) } else { (x.dims[1], k) };
                let taken = |i: usize| {
                    let others = i / row * row..(i / row + 1) * row;
                    let before = |&j: &usize| numbers[j].total_cmp(&numbers[i]).reverse().then(j.cmp(&i)).is_lt();
                    others.filter(before).count() < k
                };
                let zero = Dual::constant(0.0, self.scalars);
                let mirror = x.mirror.iter().enumerate().map(|(i, d)| if taken(i) { d.clone() } else { zero.clone() });
                self.keep(val, x.dims, mirror.collect());
            }
            13 => {
                let rows: Vec<f32> = (0..x.dims[1]).map(|_| random.below(5) as f32).collect();
                let idle = Tensor::new(self.tape.device(), &rows, &[rows.len()])?;
                let val = self.tape.dead(x.val, &idle, 2)?;
                let factor = |i: usize| f64::from(rows[i % rows.len()] >= 2.0);
                self.keep(val, x.dims, x.mirror.iter().enumerate().map(|(i, d)| d.scale(factor(i))).collect());
            }
            _ => {
                let fits: Vec<usize> = (0..LAYERS).filter(|l| self.layout[2 * l].1[1] == x.dims[1]).collect();
                if fits.is_empty() {
                    return Ok(());
                }
                let layer = fits[random.below(fits.len())];
                let (w, w_dims, w_mirror) = self.param(&format!("{layer}.weight"))?;
                let (b, _, mut b_mirror) = self.param(&format!("{layer}.bias"))?;
                let biased = random.below(3) > 0;
                if !biased {
                    b_mirror.fill(Dual::constant(0.0, self.scalars));
                }
                let val = self.tape.dense(x.val, w, biased.then_some(b))?;
                let [rows, inputs] = x.dims;
                let y = |r: usize, o: usize| {
                    (0..inputs).fold(b_mirror[o].clone(), |sum, i| sum.add(&x.mirror[r * inputs + i].mul(&w_mirror[o * inputs + i])))
                };
                let mirror = (0..rows * w_dims[0]).map(|i| y(i / w_dims[0], i % w_dims[0])).collect();
                self.keep(val, [rows, w_dims[0]], mirror);
            }
        }
        Ok(())
    }

    /// One number: a mean of squares between two nodes, or a sum.
    fn loss(&mut self, random: &mut Random) -> narrows::Result<(Val, Dual)> {
        let last = self.nodes.len() - 1;
        let y = self.take(last);
        let total = |terms: Vec<Dual>| terms.iter().skip(1).fold(terms[0].clone(), |sum, t| sum.add(t));
        if random.below(3) == 0 {
            return Ok((self.tape.sum(y.val)?, total(y.mirror)));
        }
        if random.below(4) == 0 {
            let scale = random.number();
            self.margin = y.mirror.iter().fold(self.margin, |least, d| least.min(d.margin(0.0)));
            return Ok((self.tape.abs_sum(y.val, scale)?, total(y.mirror.iter().map(Dual::abs).collect()).scale(scale.into())));
        }
        let others: Vec<usize> = (0..=last).filter(|&i| self.nodes[i].dims == y.dims).collect();
        let logvar = others[random.below(others.len())];
        if random.below(4) == 0 && self.nodes[logvar].mirror.iter().all(|d| d.size < SMALL) {
            let (logvar, scale) = (self.take(logvar), random.number());
            let terms = y.mirror.iter().zip(&logvar.mirror).map(|(mu, logvar)| mu.divergence(logvar)).collect();
            return Ok((self.tape.kl(y.val, logvar.val, scale)?, total(terms).scale(scale.into())));
        }
        if random.below(3) == 0 {
            self.constant(random, y.dims)?;
            let target = self.take(last + 1);
            let terms: Vec<Dual> = y.mirror.iter().zip(&target.mirror).map(|(z, t)| z.bce(t.v)).collect();
            let n = terms.len() as f64;
            return Ok((self.tape.bce_with_logits(y.val, target.val)?, total(terms).scale(1.0 / n)));
        }
        // Where an error of the exponent is small.
        if random.below(4) == 0 && y.mirror.iter().all(|z| z.size < 1e3) {
            let [rows, classes] = y.dims;
            let labels: Vec<u32> = (0..rows).map(|_| random.below(classes) as u32).collect();
            let loss = self.tape.xent(y.val, &Tensor::indices(&self.tape.device().clone(), &labels, classes)?)?;
            let each = y.mirror.chunks(classes).zip(&labels).map(|(row, &label)| Dual::xent(row, label as usize));
            return Ok((loss, total(each.collect()).scale(1.0 / rows as f64)));
        }
        if random.below(4) == 0 {
            // The mean activity of each column.
            let sigmoid = self.tape.sigmoid(y.val)?;
            let sums = self.tape.dense_db(sigmoid)?;
            let [rows, columns] = y.dims;
            let q = self.tape.scale(sums, 1.0 / rows as f32)?;
            let column = |c: usize| total((0..rows).map(|r| y.mirror[r * columns + c].sigmoid()).collect());
            let means: Vec<Dual> = (0..columns).map(|c| column(c).scale(1.0 / rows as f64)).collect();
            if means.iter().all(|q| q.v > 0.001 && q.v < 0.999 && q.size < 10.0) {
                let rho = 0.5 + 0.45 * random.number();
                return Ok((self.tape.rho_kl(q, rho)?, total(means.iter().map(|q| q.rho_kl(rho.into())).collect())));
            }
        }
        let others: Vec<usize> = (0..self.nodes.len()).filter(|&i| self.nodes[i].dims == y.dims && i != last).collect();
        let target = if others.is_empty() {
            self.constant(random, y.dims)?;
            self.take(last + 1)
        } else {
            let other = others[random.below(others.len())];
            self.take(other)
        };
        let squares: Vec<Dual> = y.mirror.iter().zip(&target.mirror).map(|(a, b)| a.add(&b.scale(-1.0))).map(|d| d.mul(&d)).collect();
        let n = squares.len() as f64;
        Ok((self.tape.mse(y.val, target.val)?, total(squares).scale(1.0 / n)))
    }
}

/// What a run of graphs met.
#[derive(Default, Debug)]
struct Met {
    graphs: usize,
    shared: usize,
    ops: usize,
    gradients: usize,
    worst: f64,
    /// Gradients of parameters that the loss does not depend on.
    unreached: usize,
}

/// Half an ulp of f32.
const U: f64 = 1.0 / (1u64 << 24) as f64;
/// Roundings of f32 that are allowed, as a part of the sizes that the mirror adds up. Three were the most that was met.
const ROUNDINGS: f64 = 16.0;

fn one(device: &Device, seed: u64, met: &mut Met, twist: impl Fn(f64) -> f64) -> narrows::Result<()> {
    let mut random = Random(seed);
    let rows = 1 + random.below(4);
    let mut graph = Graph::new(device, &mut random, rows)?;
    let (start, dims, mirror) = graph.param("start")?;
    graph.keep(start, [dims[0], dims[1]], mirror);
    for columns in COLUMNS {
        graph.constant(&mut random, [rows, columns])?;
    }
    graph.nodes.swap(0, COLUMNS.len());
    let ops = 4 + random.below(16);
    for _ in 0..ops {
        graph.grow(&mut random)?;
    }
    // A loss of constants alone has no gradient.
    let (loss, mirror) = graph.loss(&mut random)?;
    let reached = mirror.sizes.iter().any(|&s| s > 0.0);
    // Where f32 may see another sign than f64, the derivative of relu is anybody's guess.
    if !reached || graph.margin < ROUNDINGS * U {
        return Ok(());
    }
    graph.tape.backward(loss)?;
    let value = f64::from(graph.tape.read(loss)?[0]);
    assert!((value - mirror.v).abs() <= ROUNDINGS * U * mirror.size, "graph {seed}: the loss is {value}, not {}", mirror.v);
    for (name, _, first, numbers) in &graph.layout {
        let got = graph.params.read_grad(name)?;
        for (i, &got) in got.iter().enumerate() {
            let (want, size) = (twist(mirror.d[first + i]), mirror.sizes[first + i]);
            let (error, bound) = ((f64::from(got) - want).abs(), ROUNDINGS * U * size);
            if size == 0.0 {
                assert_eq!(got, 0.0, "graph {seed}: {name}[{i}] is not reached");
                met.unreached += 1;
                continue;
            }
            assert!(error <= bound, "graph {seed}: the gradient of {name}[{i}] is {got}, not {want}, within {bound}");
            met.worst = met.worst.max(error / bound);
            met.gradients += 1;
        }
        assert_eq!(numbers.len(), got.len());
    }
    met.graphs += 1;
    met.ops += ops;
    met.shared += usize::from(graph.uses.iter().any(|&u| u > 1));
    Ok(())
}

fn graphs(device: &Device, wanted: usize) -> narrows::Result<Met> {
    let mut met = Met::default();
    let mut seed = 0;
    while met.graphs < wanted {
        one(device, seed, &mut met, |d| d)?;
        seed += 1;
        assert!(seed < 4 * wanted as u64, "too many graphs have no gradient: {met:?}");
    }
    Ok(met)
}

#[test]
fn random_graphs_have_the_gradients_of_dual_numbers() -> narrows::Result<()> {
    let count = if std::env::var_os("NARROWS_EMULATED").is_some() { 40 } else { 200 };
    let met = graphs(&Device::cpu_with(2, Level::best())?, count)?;
    println!("{met:?}");
    assert!(met.shared >= count / 2, "few shared sub-expressions: {met:?}");
    assert!(met.unreached >= 6 * count, "few unreached parameters: {met:?}");
    assert!(met.gradients >= 10 * count && met.worst > 0.0, "{met:?}");
    Ok(())
}

/// On the other devices that are here.
#[test]
fn random_graphs_on_every_device() -> narrows::Result<()> {
    for info in Device::list().found {
        let met = graphs(&Device::open(&info.id)?, 40)?;
        println!("{}: {met:?}", info.id);
    }
    Ok(())
}

/// A gradient that is off by a part in a thousand, or has the wrong sign, must not pass.
#[test]
fn wrong_gradients_are_noticed() {
    let device = Device::cpu_with(1, Level::Portable).unwrap();
    for twist in [|d: f64| d * 1.001, |d: f64| -d, |_: f64| 0.0] {
        let caught = |seed| std::panic::catch_unwind(AssertUnwindSafe(|| one(&device, seed, &mut Met::default(), twist))).is_err();
        assert!((0..30).any(caught));
    }
}

/// One value used twice, by hand: d/dx sum((x + x) * 3 + relu(x)) = 6 + [x > 0], and what is not reached is exactly 0.
#[test]
fn operands_of_different_shapes_get_gradients_of_their_own_shapes() {
    let device = Device::cpu().unwrap();
    let mut tape = Tape::new(&device);
    let mut of = |dims: &[usize]| tape.variable(&Tensor::new(&device, &vec![0.5; dims.iter().product()], dims).unwrap()).unwrap();
    let (x, w, b, r) = (of(&[2, 3]), of(&[2, 3]), of(&[2]), of(&[4]));
    let y = tape.dense(x, w, b).unwrap();
    let z = tape.add(r, y).unwrap();
    let loss = tape.sum(z).unwrap();
    tape.backward(loss).unwrap();
    for (val, dims, sum) in [(x, &[2, 3][..], 6.0), (w, &[2, 3], 6.0), (b, &[2], 4.0), (r, &[4], 4.0)] {
        let grad = tape.grad(val).unwrap();
        assert_eq!(tape.shape(grad).unwrap(), dims);
        assert_eq!(tape.read(grad).unwrap().iter().sum::<f32>(), sum);
    }
}

#[test]
fn a_refused_backward_leaves_the_gradients_as_they_were() {
    let device = Device::cpu().unwrap();
    let mut tape = Tape::new(&device);
    let x = tape.variable(&Tensor::new(&device, &[2.0], &[1]).unwrap()).unwrap();
    let y = tape.scale(x, 3.0).unwrap();
    tape.backward(y).unwrap();
    let dx = tape.grad(x).unwrap();
    let z = tape.add(dx, x).unwrap();
    assert!(tape.backward(z).is_err());
    assert_eq!(tape.read(tape.grad(x).unwrap()).unwrap(), [3.0]);
}

#[test]
fn a_shared_value_gets_the_sum_of_its_gradients() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let params = Params::new(&device, &[("x".into(), vec![1, 4]), ("other".into(), vec![3])])?;
    params.write("x", &[-2.0, 0.0, 1.0, 5.0])?;
    let mut tape = Tape::new(&device);
    let x = tape.param(&params, "x")?;
    let other = tape.param(&params, "other")?;
    let double = tape.add(x, x)?;
    let triple = tape.scale(double, 3.0)?;
    let rest = tape.relu(x)?;
    let y = tape.add(triple, rest)?;
    let loss = tape.sum(y)?;
    let unused = tape.relu(other)?;
    for _ in 0..2 {
        tape.backward(loss)?;
        assert_eq!(params.read_grad("x")?, [6.0, 6.0, 7.0, 7.0], "and nothing accumulates");
        assert_eq!(params.read_grad("other")?, [0.0; 3]);
        assert!(tape.grad(unused).is_err());
    }
    Ok(())
}

/// What random graphs do not have: other shapes, values of no variable, and parameters that another tape reached.
#[test]
fn gradients_have_the_shapes_of_their_values_and_only_values_of_variables_have_one() -> narrows::Result<()> {
    let device = Device::cpu()?;
    let params = Params::new(&device, &[("w".into(), vec![2, 3]), ("b".into(), vec![2]), ("c".into(), vec![4])])?;
    params.write("w", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    params.write("c", &[1.0, -2.0, 3.0, -4.0])?;
    let mut tape = Tape::new(&device);
    let x = tape.input(&Tensor::new(&device, &[1.0, -1.0, 2.0, 0.5, 0.0, 3.0], &[2, 3])?)?;
    let (w, b, c) = (tape.param(&params, "w")?, tape.param(&params, "b")?, tape.param(&params, "c")?);
    let y = tape.dense(x, w, b)?;
    // [2, 2] as [4], which `add` takes as it is, and on as [1, 4].
    let flat = tape.reshape(y, &[4])?;
    let both = tape.add(flat, c)?;
    let fixed = tape.input(&Tensor::new(&device, &[1.0; 4], &[4])?)?;
    let moved = tape.add(fixed, both)?;
    let row = tape.reshape(moved, &[1, 4])?;
    let loss = tape.sum(row)?;
    tape.backward(loss)?;
    for val in [y, flat, both, row, w, b, c] {
        assert_eq!(tape.shape(tape.grad(val)?)?, tape.shape(val)?);
    }
    assert_eq!(params.read_grad("w")?, [1.5, -1.0, 5.0, 1.5, -1.0, 5.0]);
    assert_eq!((params.read_grad("b")?, params.read_grad("c")?), (vec![2.0; 2], vec![1.0; 4]));
    assert!(tape.grad(x).is_err() && tape.grad(fixed).is_err(), "no gradient is taken of inputs");

    // A second tape reaches c alone, but asks for a parameter of the set, so that all of them are its business.
    let mut tape = Tape::new(&device);
    let c = tape.param(&params, "c")?;
    let loss = tape.sum(c)?;
    tape.backward(loss)?;
    assert_eq!((params.read_grad("w")?, params.read_grad("b")?, params.read_grad("c")?), (vec![0.0; 6], vec![0.0; 2], vec![1.0; 4]));
    Ok(())
}
