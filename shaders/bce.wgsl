// bce_chunks: work[c] = the sum of max(z, 0) - z t + log1p(exp(-|z|)) over chunk c of 4096 elements, one workgroup of 256 lanes per chunk.
// bce_total:  loss = scale * the sum of the partial sums, one workgroup in all.
// bce_grad:   dz = (scale * dloss) * (sigmoid(z) - t), one thread per element.
//
// Bound by bytes: 8 per element, 12 for the gradient, against some 35 operations. (`target` is a reserved word of WGSL.)

struct Params { z_at: u32, target_at: u32, work_at: u32, loss_at: u32, dloss_at: u32, dz_at: u32, n: u32, scale: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> target_: array<f32>;
@group(0) @binding(3) var<storage, read_write> work: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read> dloss: array<f32>;
@group(0) @binding(6) var<storage, read_write> dz: array<f32>;

// log(1 + e) for e in [0, 1]: e + e^2 q(e), the polynomial of docs/numerics.md.
fn log1p(e: f32) -> f32 {
    var q = -0x1.b1f45ep-9f;
    q = fma(q, e, 0x1.4a731ep-6f);
    q = fma(q, e, -0x1.d7d268p-5f);
    q = fma(q, e, 0x1.b52d92p-4f);
    q = fma(q, e, -0x1.3a62fap-3f);
    q = fma(q, e, 0x1.935406p-3f);
    q = fma(q, e, -0x1.ff251ap-3f);
    q = fma(q, e, 0x1.554dd8p-2f);
    q = fma(q, e, -0x1.ffffd2p-2f);
    return fma(e * e, q, e);
}

@compute @workgroup_size(256)
fn bce_chunks(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = group_number(group, groups);
    var partial = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = 4096u * chunk + 256u * j + lane;
        if (i < u.n) {
            let x = z[u.z_at + i];
            let term = fma(-x, target_[u.target_at + i], select(0.0, x, x > 0.0)) + log1p(exponential(-abs(x)));
            partial = partial + select(term, x, is_nan(x));
        }
    }
    let total = tree(lane, partial);
    if (lane == 0u && chunk < (u.n + 4095u) / 4096u) {
        work[u.work_at + chunk] = total;
    }
}

// n counts the partial sums here.
@compute @workgroup_size(256)
fn bce_total(@builtin(local_invocation_index) lane: u32) {
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
fn bce_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        let x = z[u.z_at + i];
        let e = exponential(-abs(x));
        let y = select(e, 1.0, x >= 0.0) / (1.0 + e);
        let s = u.scale * dloss[u.dloss_at];
        dz[u.dz_at + i] = s * (select(y, x, is_nan(x)) - target_[u.target_at + i]);
    }
}
