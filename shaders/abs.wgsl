// abs: value = |x|. grad = x > 0 ? dy : x < 0 ? -dy : 0; a NaN in x stays. Decided by the bits, as in relu: subnormals
// count as 0 in x and are moved as they are in dy.

fn value(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

fn grad(x: f32, dy: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let turned = bitcast<f32>(bitcast<u32>(dy) ^ (bits & 0x80000000u));
    return select(select(0.0, turned, magnitude >= 0x00800000u), x, magnitude > 0x7f800000u);
}
