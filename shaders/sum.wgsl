// sum: the terms are x.

fn with_one(lane: f32, x: f32, _target: f32) -> f32 {
    return lane + x;
}
