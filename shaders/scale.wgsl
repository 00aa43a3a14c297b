// scale: y = x * factor. Bound by bytes: 8 per element. y may be x.

struct Params { x_at: u32, y_at: u32, n: u32, first: u32, factor: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
    y[u.y_at + i] = x[u.x_at + i] * u.factor;
}
