// mask: y[i] = word < keep ? x[i] * factor : 0, word of 24 bits from Philox: dropout and masking noise. The gradient
// draws the same mask again.

struct Params {
    x_at: u32,
    clock_at: u32,
    y_at: u32,
    n: u32,
    // The number of the first element in the whole tensor, of which this launch may be a piece.
    first: u32,
    keep: u32,
    factor: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> clock: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn four(i: u32, words: vec4<u32>) {
    for (var j = 0u; j < 4u; j++) {
        if (i + j < u.n) {
            y[u.y_at + i + j] = select(0.0, x[u.x_at + i + j] * u.factor, words[j] < u.keep);
        }
    }
}
