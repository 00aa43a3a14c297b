// mse_chunks: work[c] = the sum of (y - target)^2 over chunk c of 4096 elements, one workgroup of 256 lanes per chunk, as in sum.wgsl.
// mse_total:  loss = scale * the sum of the partial sums, one workgroup in all.
// mse_grad:   dy = (scale * dloss) * (y - target), one thread per element.
//
// Bound by bytes: 8 per element, 12 for the gradient. (`target` is a reserved word of WGSL.)

struct Params { y_at: u32, target_at: u32, work_at: u32, loss_at: u32, dloss_at: u32, dy_at: u32, n: u32, scale: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read_write> work: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read> dloss: array<f32>;
@group(0) @binding(6) var<storage, read_write> dy: array<f32>;

@compute @workgroup_size(256)
fn mse_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = group_number(group, groups);
    var partial = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = 4096u * chunk + 256u * j + lane;
        if (i < u.n) {
            let d = y[u.y_at + i] - target_[u.target_at + i];
            partial = fma(d, d, partial);
        }
    }
    let total = tree(lane, partial);
    if (lane == 0u && chunk < (u.n + 4095u) / 4096u) {
        work[u.work_at + chunk] = total;
    }
}

// n counts the partial sums here.
@compute @workgroup_size(256)
fn mse_total(@builtin(local_invocation_index) lane: u32) {
    var partial = 0.0;
    for (var i = lane; i < u.n; i += 256u) {
        partial = partial + work[u.work_at + i];
    }
    let total = tree(lane, partial);
    if (lane == 0u) {
        loss[u.loss_at] = total * u.scale;
    }
}

@compute @workgroup_size(256)
fn mse_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        let s = u.scale * dloss[u.dloss_at];
        dy[u.dy_at + i] = s * (y[u.y_at + i] - target_[u.target_at + i]);
    }
}
