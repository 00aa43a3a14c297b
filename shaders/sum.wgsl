// sum: the terms are x, and grad = s.

fn with_one(lane: f32, x: f32, _target: f32) -> f32 {
    return lane + x;
}

fn grad(_x: f32, _target: f32, s: f32) -> f32 {
    return s;
}
