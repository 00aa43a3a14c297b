// Shared text: the logistic function, for the ops that have it in them. It needs exponential.wgsl.

fn sigmoid(x: f32) -> f32 {
    let e = exponential(-abs(x));
    return select(select(e, 1.0, x >= 0.0) / (1.0 + e), x, is_nan(x));
}
