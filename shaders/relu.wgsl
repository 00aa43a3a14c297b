// relu: value = max(x, 0), NaN kept, -0 becomes 0. grad = x <= 0 ? 0 : dy, so that relu'(0) = 0 and a NaN in x passes
// dy. Decided by the bits: exact on any device, subnormals count as 0, and a NaN cannot be optimised away.

// At least 2^-126, or NaN of either sign.
fn passes(x: f32) -> bool {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    return magnitude > 0x7f800000u || (bits == magnitude && bits >= 0x00800000u);
}

fn value(x: f32) -> f32 {
    return select(0.0, x, passes(x));
}

fn grad(x: f32, dy: f32) -> f32 {
    return select(0.0, dy, passes(x));
}
