//! Functions of two numbers, in place too. Bound by memory: 12 bytes an element.

use super::fma::Fma;
use super::level::leveled;
use super::reduce::kl_term;
use crate::Level;
use crate::op::Zip;

trait Function: Copy {
    fn value<F: Fma>(self, a: f32, b: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Add;

impl Function for Add {
    #[inline(always)]
    fn value<F: Fma>(self, a: f32, b: f32) -> f32 {
        a + b
    }
}

#[derive(Clone, Copy)]
struct Mul;

impl Function for Mul {
    #[inline(always)]
    fn value<F: Fma>(self, a: f32, b: f32) -> f32 {
        a * b
    }
}

#[derive(Clone, Copy)]
struct KlTerms;

impl Function for KlTerms {
    #[inline(always)]
    fn value<F: Fma>(self, mu: f32, logvar: f32) -> f32 {
        kl_term::<F>(mu, logvar)
    }
}

#[derive(Clone, Copy)]
struct Axpy {
    factor: f32,
}

impl Function for Axpy {
    #[inline(always)]
    fn value<F: Fma>(self, a: f32, b: f32) -> f32 {
        F::fma(b, self.factor, a)
    }
}

/// An operand; `None` if it is the result's own memory.
pub(super) type Side<'a> = Option<&'a [f32]>;

/// `y = f(a, b)`.
pub(super) fn zip(level: Level, f: Zip, a: Side, b: Side, y: &mut [f32]) {
    match f {
        Zip::Add => values(level, Add, a, b, y),
        Zip::Mul => values(level, Mul, a, b, y),
        Zip::KlTerms => values(level, KlTerms, a, b, y),
    }
}

/// `y = a + factor * b`.
pub(super) fn axpy(level: Level, factor: f32, a: Side, b: Side, y: &mut [f32]) {
    values(level, Axpy { factor }, a, b, y);
}

#[inline(always)]
fn values_body<M: Function, F: Fma>(f: M, a: Side, b: Side, y: &mut [f32]) {
    match (a, b) {
        (Some(a), Some(b)) => y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = f.value::<F>(a, b)),
        (Some(a), None) => y.iter_mut().zip(a).for_each(|(y, &a)| *y = f.value::<F>(a, *y)),
        (None, Some(b)) => y.iter_mut().zip(b).for_each(|(y, &b)| *y = f.value::<F>(*y, b)),
        (None, None) => y.iter_mut().for_each(|y| *y = f.value::<F>(*y, *y)),
    }
}

leveled!(fn values[M: Function](f: M, a: Side, b: Side, y: &mut [f32]) = values_body::<M, F>);
