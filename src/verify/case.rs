//! A row made concrete: its operands filled with data, and the results they must hold afterwards.

use super::ops;
use super::reference::Sums;
use super::row::{Row, is_given};
use crate::Dtype;
use crate::op::Role;

/// Host data of an operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    U8(Vec<u8>),
    U32(Vec<u32>),
}

/// An operand and its contents before the op. If it is only read, it must be unchanged afterwards; if it is workspace,
/// anything may be written inside it.
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
    /// The oracle's result and its bound. `None`: exactly the contract's bits on every device.
    pub(crate) within: Option<Within>,
}

/// `|got - oracle| <= coefficient * scale + roundings * floor * 2^-126`: subnormals count as 0.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    pub(crate) oracle: Vec<f64>,
    /// What the relative error refers to: the sum of the absolute terms; if `None`, the absolute value of the result.
    pub(crate) scale: Option<Vec<f64>>,
    /// The factor from a lost subnormal to an error of the result; 1 if `None`.
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

/// What a family makes of a row: the contents of the operands that are read and the results of those that are written,
/// each in the order of the op, without workspace.
pub(crate) struct Made {
    pub(crate) inputs: Vec<Data>,
    pub(crate) results: Vec<Result>,
}

/// The contract's result, and the oracle's with its bound.
#[derive(Clone)]
pub(crate) struct Result {
    pub(crate) contract: Data,
    pub(crate) within: Option<Within>,
}

/// Half an ulp of 1.
pub(crate) const U: f64 = 1.0 / (1u64 << 24) as f64;
/// Numbers below this count as 0.
const TINY: f64 = f32::MIN_POSITIVE as f64;
/// 4 ulp in units of u: the allowed error of a division, a root or an exp in WGSL.
pub(crate) const FOUR_ULP: f64 = 8.0 * U;
/// What outputs hold before the op: a NaN with a payload of our own.
pub(crate) const UNWRITTEN: u32 = 0x7fc0_1234;

impl Case {
    pub(crate) fn new(row: &Row) -> Case {
        let Made { inputs, results } = ops::make(row);
        let (mut inputs, mut results) = (inputs.into_iter(), results.into_iter());
        let mut case = Case { operands: Vec::new(), expects: Vec::new() };
        for (at, operand) in row.op.form().operands().enumerate() {
            let (index, n) = (row.index_of(at), operand.of.len());
            let result = matches!(operand.role, Role::Write | Role::Update)
                .then(|| results.next().expect("a result for each operand that is written"));
            let data = match (is_given(operand.role), &result) {
                (true, _) => inputs.next().expect("data for each operand that is read"),
                (false, Some(result)) if result.contract.dtype() == Dtype::U32 => Data::U32(vec![UNWRITTEN; n]),
                (false, _) => Data::F32(vec![f32::from_bits(UNWRITTEN); n]),
            };
            match case.operands.get_mut(index) {
                Some(same) if operand.role != Role::Read => same.role = Role::Update,
                Some(same) => assert!(same.data.bytes() == data.bytes(), "one operand can't hold two things"),
                None => case.operands.push(Operand { role: operand.role, shape: operand.of.dims().to_vec(), data }),
            }
            if let Some(Result { contract, within }) = result {
                case.expects.push(Expect { operand: index, contract, within });
            }
        }
        assert!(inputs.next().is_none() && results.next().is_none(), "{}: more data than operands", row.name());
        case
    }
}

fn gamma(n: f64) -> f64 {
    n * U / (1.0 - n * U)
}

pub(crate) fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

pub(crate) fn floats<const N: usize>(all: [&[f32]; N]) -> Vec<Data> {
    all.map(|x| Data::F32(x.to_vec())).into()
}

/// `f` of each element, and of two.
pub(crate) fn each<T: Copy, R>(x: &[T], f: impl Fn(T) -> R) -> Vec<R> {
    x.iter().map(|&x| f(x)).collect()
}

pub(crate) fn pairs<T: Copy, R>(a: &[T], b: &[T], f: impl Fn(T, T) -> R) -> Vec<R> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

impl Result {
    /// Exactly these bits on every device.
    pub(crate) fn exactly(contract: Vec<f32>) -> Result {
        Result { contract: Data::F32(contract), within: None }
    }

    pub(crate) fn within(contract: Vec<f32>, within: Within) -> Result {
        Result { contract: Data::F32(contract), within: Some(within) }
    }

    /// A sum of n rounded terms, exact when the terms are small integers.
    pub(crate) fn summed(contract: Vec<f32>, sums: Sums, n: f64, exact: bool) -> Result {
        debug_assert!(!exact || sums.terms.iter().all(|&t| t < (1 << 24) as f64));
        let (oracle, scale) = (sums.value, Some(sums.terms));
        let within = Within { oracle, scale, floor: None, ieee: gamma(n), wgsl: gamma(2.0 * n), roundings: n.max(1.0) };
        Result::within(contract, within).sharp(exact)
    }

    /// An elementwise result: its error in half ulps of its value, on the CPU and in WGSL.
    pub(crate) fn rounded(contract: Vec<f32>, oracle: Vec<f64>, [ieee, wgsl]: [f64; 2]) -> Result {
        let within = Within { oracle, scale: None, floor: None, ieee: ieee * U, wgsl: wgsl * U, roundings: ieee.max(1.0) };
        Result::within(contract, within)
    }

    /// Allows no error if every step is exact.
    pub(crate) fn sharp(mut self, exact: bool) -> Result {
        if let (true, Some(w)) = (exact, &mut self.within) {
            (w.ieee, w.wgsl, w.roundings) = (0.0, 0.0, 0.0);
        }
        self
    }

    /// How many subnormals may be lost, and the factor from each to an error of the result.
    pub(crate) fn losing(mut self, roundings: f64, floor: Option<Vec<f64>>) -> Result {
        if let Some(w) = &mut self.within {
            (w.roundings, w.floor) = (roundings, floor);
        }
        self
    }
}
