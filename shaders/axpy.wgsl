// axpy: y = fma(b, factor, a). Bound by bytes: 12 per element. y may be a or b.

struct Params { a_at: u32, b_at: u32, y_at: u32, n: u32, first: u32, factor: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
    y[u.y_at + i] = fma(b[u.b_at + i], u.factor, a[u.a_at + i]);
}
