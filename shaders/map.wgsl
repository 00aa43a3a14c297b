// Shared text: y = value(x), a function of one number. Bound by bytes: 8 per element. Numbers are loaded and stored as
// bits, so that what only passes through is not touched.

struct Params { x_at: u32, y_at: u32, n: u32, first: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn each(i: u32) {
    y[u.y_at + i] = bitcast<u32>(value(bitcast<f32>(x[u.x_at + i])));
}
