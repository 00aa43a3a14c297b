// Shared text: dx = grad(x, 0, s), s = scale * dy: the derivative of a sum. Bound by bytes: 8 per element.

struct Params { x_at: u32, dy_at: u32, dx_at: u32, n: u32, first: u32, scale: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

fn each(i: u32) {
    dx[u.dx_at + i] = grad(x[u.x_at + i], 0.0, u.scale * dy[u.dy_at]);
}
