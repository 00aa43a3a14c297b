// silu: value = x sigmoid(x). grad = dy (s + x s sigmoid(-x)), s = sigmoid(x). Where a sigmoid is 0, x may be infinite.

fn value(x: f32) -> f32 {
    return select(max(x, -104.0) * sigmoid(x), x, is_nan(x));
}

fn grad(x: f32, dy: f32) -> f32 {
    let s = sigmoid(x);
    return select(dy * fma(clamp(x, -104.0, 104.0) * sigmoid(-x), s, s), x, is_nan(x));
}
