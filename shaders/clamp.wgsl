// clamp: y = x < lo ? lo : x > hi ? hi : x; NaN stays. Bound by bytes: 8 per element.

struct Params { x_at: u32, y_at: u32, n: u32, first: u32, lo: f32, hi: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
    let own = x[u.x_at + i];
    let clamped = select(select(own, u.hi, own > u.hi), u.lo, own < u.lo);
    y[u.y_at + i] = select(clamped, own, is_nan(own));
}
