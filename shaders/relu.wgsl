// relu:      y = max(x, 0), NaN kept, -0 becomes 0.
// relu_grad: dx = x <= 0 ? 0 : dy, so that relu'(0) = 0 and a NaN in x passes dy.
//
// One thread per element. Bound by bytes: 8 and 12 per element.
// Everything is done on the bits: exact on any device, subnormals count as 0, and a NaN cannot be optimised away.

struct Params { x_at: u32, y_at: u32, dy_at: u32, dx_at: u32, n: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<storage, read> dy: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<u32>;

// At least 2^-126, or NaN of either sign.
fn passes(bits: u32) -> bool {
    let magnitude = bits & 0x7fffffffu;
    return magnitude > 0x7f800000u || (bits == magnitude && bits >= 0x00800000u);
}

@compute @workgroup_size(256)
fn relu(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        let bits = x[u.x_at + i];
        y[u.y_at + i] = select(0u, bits, passes(bits));
    }
}

@compute @workgroup_size(256)
fn relu_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        dx[u.dx_at + i] = select(0u, dy[u.dy_at + i], passes(x[u.x_at + i]));
    }
}
