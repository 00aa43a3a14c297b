// Shared text: the loop of every op that has a thread per element. `each(i)` does element i of this launch.

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        each(i);
    }
}
