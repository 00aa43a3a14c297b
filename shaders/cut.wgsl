// cut: the k largest numbers of each row, as a threshold: the key of the smallest that is taken, and the index of the
// last one of that key.
// A workgroup for each row. Bound by the latency of workgroup memory; one row of a whole batch keeps one workgroup
// busy.

// n: the rows of this launch.
struct Params { x_at: u32, cut_at: u32, n: u32, first: u32, columns: u32, k: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> cut: array<u32>;

fn key_of(row: u32, i: u32) -> u32 {
    return key(x[u.x_at + row * u.columns + i]);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = group_number(group, groups);
    let kth = kth_largest(t, row, row < u.n, u.columns, u.k);
    if (t == 0u && row < u.n) {
        cut[u.cut_at + 2u * row] = kth.x;
        cut[u.cut_at + 2u * row + 1u] = kth.y;
    }
}
