// uniform: y[i] = fma(random, range, lo), random = word * 2^-24, word of 24 bits from Philox.

struct Params {
    clock_at: u32,
    y_at: u32,
    n: u32,
    // The number of the first element in the whole tensor, of which this launch may be a piece.
    first: u32,
    lo: f32,
    range: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn four(i: u32, words: vec4<u32>) {
    let values = fma(vec4<f32>(words) * 0x1p-24f, vec4<f32>(u.range), vec4<f32>(u.lo));
    for (var j = 0u; j < 4u; j++) {
        if (i + j < u.n) {
            y[u.y_at + i + j] = values[j];
        }
    }
}
