// Shared text: dx = grad(x, target, s), s = scale * dy: the derivative of a sum of terms that take a target. Bound by
// bytes: 12 per element. (`target` is a reserved word of WGSL.)

struct Params { x_at: u32, target_at: u32, dy_at: u32, dx_at: u32, n: u32, first: u32, scale: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn each(i: u32) {
    dx[u.dx_at + i] = grad(x[u.x_at + i], target_[u.target_at + i], u.scale * dy[u.dy_at]);
}
