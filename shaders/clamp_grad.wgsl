// clamp_grad: dx = x < lo or x > hi ? 0 : dy; a NaN in x passes dy. Bound by bytes: 12 per element. Numbers are
// loaded and stored as bits, so that what only passes through is not touched.

struct Params { x_at: u32, dy_at: u32, dx_at: u32, n: u32, first: u32, lo: f32, hi: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> dy: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<u32>;

fn each(i: u32) {
    let own = bitcast<f32>(x[u.x_at + i]);
    let outside = (own < u.lo || own > u.hi) && !is_nan(own);
    dx[u.dx_at + i] = select(dy[u.dy_at + i], 0u, outside);
}
