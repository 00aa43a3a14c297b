// Shared text: stage 1 of a sum (docs/numerics.md): parts[c] = the sum of the 4096 terms of chunk c, one workgroup of
// 256 lanes per chunk, lane l taking l, l + 256, ... Bound by bytes: 4 per element.

struct Params { x_at: u32, parts_at: u32, n: u32, first: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

fn with_term(lane: f32, i: u32) -> f32 {
    return with_one(lane, x[u.x_at + i], 0.0);
}
