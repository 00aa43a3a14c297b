// Shared text: chunks.wgsl for terms of two numbers, of which the second is a target as a rule. Bound by bytes: 8 per
// element. (`target` is a reserved word of WGSL.)

struct Params { x_at: u32, target_at: u32, parts_at: u32, n: u32, first: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

fn with_term(lane: f32, i: u32) -> f32 {
    return with_one(lane, x[u.x_at + i], target_[u.target_at + i]);
}
