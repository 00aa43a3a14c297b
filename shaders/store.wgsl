// store: entry clock[1] mod T of the ring becomes x, as bits. One thread per element of x. Bound by bytes: 8 per element.

struct Params {
    x_at: u32,
    clock_at: u32,
    ring_at: u32,
    n: u32,
    // The number of the first element of x in the whole entry, of which this launch may be a piece.
    first: u32,
    // Elements of a whole entry, and how many entries there are.
    entry: u32,
    entries: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> clock: array<u32>;
@group(0) @binding(3) var<storage, read_write> ring: array<u32>;

@compute @workgroup_size(256)
fn store(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        ring[u.ring_at + clock[u.clock_at + 1u] % u.entries * u.entry + u.first + i] = x[u.x_at + i];
    }
}
