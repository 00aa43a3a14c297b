// square_sum: the terms are x^2, and grad = s x, s with a factor of 2 in it.

fn with_one(lane: f32, x: f32, _target: f32) -> f32 {
    return fma(x, x, lane);
}

fn grad(x: f32, _target: f32, s: f32) -> f32 {
    return s * x;
}
