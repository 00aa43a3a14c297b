// bce: the terms are max(x, 0) - x t + log1p(exp(-|x|)), the binary cross-entropy of sigmoid(x) and t; grad = s (sigmoid(x) - t).
// Some 35 operations an element each.

// log(1 + e) for e in [0, 1]: e + e^2 q(e), the polynomial of docs/numerics.md.
fn log1p(e: f32) -> f32 {
    var q = -0x1.b1f45ep-9f;
    q = fma(q, e, 0x1.4a731ep-6f);
    q = fma(q, e, -0x1.d7d268p-5f);
    q = fma(q, e, 0x1.b52d92p-4f);
    q = fma(q, e, -0x1.3a62fap-3f);
    q = fma(q, e, 0x1.935406p-3f);
    q = fma(q, e, -0x1.ff251ap-3f);
    q = fma(q, e, 0x1.554dd8p-2f);
    q = fma(q, e, -0x1.ffffd2p-2f);
    return fma(e * e, q, e);
}

fn with_one(lane: f32, x: f32, t: f32) -> f32 {
    let term = fma(-x, t, select(0.0, x, x > 0.0)) + log1p(exponential(-abs(x)));
    return lane + select(term, x, is_nan(x));
}

fn grad(x: f32, t: f32, s: f32) -> f32 {
    return s * (sigmoid(x) - t);
}
