// Shared text: Philox4x32-10 (Salmon et al. 2011), with the key (seed low, seed high) and the counter (i / 4, step,
// purpose, 0); and the loop of the ops that have a thread for four elements, which share a block. Bound by the 40 wide
// multiplications of a block.

// The high word of a 64-bit product, from halves of 16 bits: WGSL has no such multiplication.
fn multiply_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + ((al * bl) >> 16u);
    let carry = al * bh + (middle & 0xffffu);
    return ah * bh + (middle >> 16u) + (carry >> 16u);
}

fn philox(start: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var c = start;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let high0 = multiply_high(0xd2511f53u, c.x);
        let high1 = multiply_high(0xcd9e8d57u, c.z);
        c = vec4<u32>(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let block = group_number(group, groups) * 256u + lane;
    if (4u * block < u.n) {
        let step = clock[u.clock_at + 1u];
        let words = philox(vec4<u32>(u.first / 4u + block, step, u.purpose, 0u), vec2<u32>(u.seed_low, u.seed_high));
        // 24 bits each.
        four(4u * block, words >> vec4<u32>(8u));
    }
}
