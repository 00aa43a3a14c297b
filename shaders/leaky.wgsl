// leaky: value = x above 0, else 0.01 x. grad = x <= 0 ? 0.01 dy : dy.

fn value(x: f32) -> f32 {
    return select(0.01 * x, x, x > 0.0 || is_nan(x));
}

fn grad(x: f32, dy: f32) -> f32 {
    return select(0.01 * dy, dy, x > 0.0 || is_nan(x));
}
