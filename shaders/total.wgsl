// total: stage 2 of every sum: y = scale * the sum of the partial sums, of which there are n. One workgroup.

struct Params { parts_at: u32, y_at: u32, n: u32, first: u32, scale: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var partial = 0.0;
    for (var i = lane; i < u.n; i += 256u) {
        partial = partial + parts[u.parts_at + i];
    }
    let total = tree(lane, partial);
    if (lane == 0u) {
        y[u.y_at] = total * u.scale;
    }
}
