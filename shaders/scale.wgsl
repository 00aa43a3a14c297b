// scale: y = x * factor. One thread per element. Bound by bytes: 8 per element. y may be x.

struct Params { x_at: u32, y_at: u32, n: u32, factor: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn scale(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        y[u.y_at + i] = x[u.x_at + i] * u.factor;
    }
}
