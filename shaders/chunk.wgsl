// Shared text: the loop of chunks.wgsl and of chunks_target.wgsl.

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let chunk = group_number(group, groups);
    var partial = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let i = 4096u * chunk + 256u * j + lane;
        if (i < u.n) {
            partial = with_term(partial, i);
        }
    }
    let total = tree(lane, partial);
    // 0 elements have one chunk too: its sum is 0.
    if (lane == 0u && chunk < max(1u, (u.n + 4095u) / 4096u)) {
        parts[u.parts_at + chunk] = total;
    }
}
