// sigmoid: value = 1 / (1 + exp(-x)), as 1/q or e/q with e = exp(-|x|), q = 1 + e, so that nothing overflows.
// grad = dy * (e / (q * q)): it does not die where y rounds to 1. Some 25 operations an element each.

fn value(x: f32) -> f32 {
    return sigmoid(x);
}

fn grad(x: f32, dy: f32) -> f32 {
    let e = exponential(-abs(x));
    let q = 1.0 + e;
    return select(dy * (e / (q * q)), x, is_nan(x));
}
