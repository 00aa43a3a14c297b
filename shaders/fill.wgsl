// fill: y[i] = value. One thread per element. Bound by bytes: 4 per element. The value travels as its bits.

struct Params { y_at: u32, n: u32, value: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        y[u.y_at + i] = u.value;
    }
}
