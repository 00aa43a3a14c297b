// Shared text: dx = grad(x, dy), the derivative of a function of one number, from x and not from y. Bound by bytes: 12
// per element.

struct Params { x_at: u32, dy_at: u32, dx_at: u32, n: u32, first: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> dy: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<u32>;

fn each(i: u32) {
    dx[u.dx_at + i] = bitcast<u32>(grad(bitcast<f32>(x[u.x_at + i]), bitcast<f32>(dy[u.dy_at + i])));
}
