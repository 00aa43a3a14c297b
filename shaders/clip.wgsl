// square_sum_chunks: work[c] = the sum of the squares of the 4096 elements of chunk c, one workgroup of 256 lanes per chunk, as in sum.wgsl.
// square_sum_total:  y = the sum of the partial sums, one workgroup in all.
// clip:              y = x * min(1, most / (sqrt(square) + 1e-6)), one thread per element; a norm that is NaN stays one.
//
// Bound by bytes: 4 per element for the sum, 8 to clip.

struct Params { x_at: u32, work_at: u32, square_at: u32, y_at: u32, n: u32, most: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> work: array<f32>;
@group(0) @binding(3) var<storage, read> square: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn square_sum_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = group_number(group, groups);
    var partial = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = 4096u * chunk + 256u * j + lane;
        if (i < u.n) {
            partial = fma(x[u.x_at + i], x[u.x_at + i], partial);
        }
    }
    let total = tree(lane, partial);
    // 0 elements have one chunk too: its sum is 0.
    if (lane == 0u && chunk < max(1u, (u.n + 4095u) / 4096u)) {
        work[u.work_at + chunk] = total;
    }
}

// n counts the partial sums here.
@compute @workgroup_size(256)
fn square_sum_total(@builtin(local_invocation_index) lane: u32) {
    var partial = 0.0;
    for (var i = lane; i < u.n; i += 256u) {
        partial = partial + work[u.work_at + i];
    }
    let total = tree(lane, partial);
    if (lane == 0u) {
        y[u.y_at] = total;
    }
}

@compute @workgroup_size(256)
fn clip(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        let total = square[u.square_at];
        let factor = u.most / (sqrt(total) + 1e-6);
        let clipped = x[u.x_at + i] * select(factor, 1.0, factor > 1.0);
        y[u.y_at + i] = select(clipped, total, is_nan(total));
    }
}
