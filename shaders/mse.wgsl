// mse: the terms are (x - t)^2, and grad = s (x - t), s with a factor of 2 in it.

fn with_one(lane: f32, x: f32, t: f32) -> f32 {
    let d = x - t;
    return fma(d, d, lane);
}

fn grad(x: f32, t: f32, s: f32) -> f32 {
    return s * (x - t);
}
