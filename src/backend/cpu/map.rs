//! Functions of one number: their shared loops, and the dispatch to each function.

mod abs;
mod clamp;
mod exp;
mod leaky;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

use super::fma::Fma;
use super::level::leveled;
use crate::Level;
use crate::op::Map;
use abs::Abs;
use clamp::Clamp;
use exp::Exp;
use leaky::Leaky;
use relu::Relu;
use sigmoid::Sigmoid;
pub(super) use sigmoid::sigmoid;
use silu::Silu;
use softplus::Softplus;
use tanh::Tanh;

/// A function and its derivative. Both are inlined into the loops below and compiled once for each level.
trait Function: Copy {
    fn value<F: Fma>(self, x: f32) -> f32;

    /// `dy f'(x)`, from x and not from y.
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32;
}

pub(super) fn map(level: Level, f: Map, x: &[f32], y: &mut [f32]) {
    match f {
        Map::Relu => values(level, Relu, x, y),
        Map::Leaky => values(level, Leaky, x, y),
        Map::Sigmoid => values(level, Sigmoid, x, y),
        Map::Tanh => values(level, Tanh, x, y),
        Map::Softplus => values(level, Softplus, x, y),
        Map::Silu => values(level, Silu, x, y),
        Map::Exp => values(level, Exp, x, y),
        Map::Abs => values(level, Abs, x, y),
    }
}

pub(super) fn map_grad(level: Level, f: Map, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    match f {
        Map::Relu => grads(level, Relu, x, dy, dx),
        Map::Leaky => grads(level, Leaky, x, dy, dx),
        Map::Sigmoid => grads(level, Sigmoid, x, dy, dx),
        Map::Tanh => grads(level, Tanh, x, dy, dx),
        Map::Softplus => grads(level, Softplus, x, dy, dx),
        Map::Silu => grads(level, Silu, x, dy, dx),
        Map::Exp => grads(level, Exp, x, dy, dx),
        Map::Abs => grads(level, Abs, x, dy, dx),
    }
}

pub(super) fn clamp(level: Level, [lo, hi]: [f32; 2], x: &[f32], y: &mut [f32]) {
    values(level, Clamp { lo, hi }, x, y);
}

pub(super) fn clamp_grad(level: Level, [lo, hi]: [f32; 2], x: &[f32], dy: &[f32], dx: &mut [f32]) {
    grads(level, Clamp { lo, hi }, x, dy, dx);
}

#[inline(always)]
fn values_body<M: Function, F: Fma>(f: M, x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f.value::<F>(x);
    }
}

#[inline(always)]
fn grads_body<M: Function, F: Fma>(f: M, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        *dx = f.grad::<F>(x, dy);
    }
}

leveled!(fn values[M: Function](f: M, x: &[f32], y: &mut [f32]) = values_body::<M, F>);
leveled!(fn grads[M: Function](f: M, x: &[f32], dy: &[f32], dx: &mut [f32]) = grads_body::<M, F>);
