// uniform: y[i] = fma(random, range, lo), random = (word >> 8) * 2^-24, word = output i mod 4 of Philox4x32-10 (Salmon et al. 2011)
// with the key (seed low, seed high) and the counter (i / 4, step, purpose, 0), step = clock[1].
//
// One thread per four elements: they share a block of Philox. Bound by the 40 wide multiplications of a block.

struct Params {
    clock_at: u32,
    y_at: u32,
    n: u32,
    // The number of the first block in the whole tensor, of which this launch may be a piece.
    first: u32,
    lo: f32,
    range: f32,
    seed_low: u32,
    seed_high: u32,
    purpose: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> clock: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
fn uniform_(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let block = group_number(group, groups) * 256u + lane;
    if (4u * block < u.n) {
        let step = clock[u.clock_at + 1u];
        let words = philox(vec4<u32>(u.first + block, step, u.purpose, 0u), vec2<u32>(u.seed_low, u.seed_high));
        let random = vec4<f32>(words >> vec4<u32>(8u)) * 0x1p-24f;
        let values = fma(random, vec4<f32>(u.range), vec4<f32>(u.lo));
        for (var j = 0u; j < 4u; j++) {
            if (4u * block + j < u.n) {
                y[u.y_at + 4u * block + j] = values[j];
            }
        }
    }
}
