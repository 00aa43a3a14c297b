// softplus: value = log(1 + exp(x)), as max(x, 0) + log1p(exp(-|x|)), so that nothing overflows. grad = dy sigmoid(x).

fn value(x: f32) -> f32 {
    return select(select(0.0, x, x > 0.0) + log1p(exponential(-abs(x))), x, is_nan(x));
}

fn grad(x: f32, dy: f32) -> f32 {
    return dy * sigmoid(x);
}
