// bce: the terms are max(x, 0) - x t + log1p(exp(-|x|)), the binary cross-entropy of sigmoid(x) and t;
// grad = s (sigmoid(x) - t). Some 35 operations an element each.

fn with_one(lane: f32, x: f32, t: f32) -> f32 {
    let term = fma(-x, t, select(0.0, x, x > 0.0)) + log1p(exponential(-abs(x)));
    return lane + select(term, x, is_nan(x));
}

fn grad(x: f32, t: f32, s: f32) -> f32 {
    return s * (sigmoid(x) - t);
}
