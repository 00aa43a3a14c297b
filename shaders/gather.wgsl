// gather:       y[r, c] = data[row, c], row = min(order[(cursor + r) mod M], N - 1), cursor = clock[0]. Data of f32, moved as bits.
// gather_bytes: the same for data of bytes, y = byte / 255 correctly rounded.
//
// One thread per element of y. Bound by bytes: 8 per element, 5 for bytes.

struct Params {
    data_at: u32,
    order_at: u32,
    clock_at: u32,
    y_at: u32,
    n: u32,
    // The number of the first element of y in the whole batch, of which this launch may be a piece.
    first: u32,
    columns: u32,
    rows: u32,
    entries: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> clock: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

// The number within the data of what element i of this launch takes.
fn source(i: u32) -> u32 {
    let e = u.first + i;
    // Each is below 2^31 before they are added: any cursor is legal.
    let entry = (clock[u.clock_at] % u.entries + e / u.columns) % u.entries;
    let row = min(order[u.order_at + entry], u.rows - 1u);
    return row * u.columns + e % u.columns;
}

// The bits of the f32 nearest to byte / 255, with integers alone: division in WGSL is good to 2.5 ulp only.
// The byte is shifted so that its top bit is bit 7; then 2^24 * byte / 255 lies in [2^23, 2^24] and its nearest integer is the significand.
fn unit(byte: u32) -> u32 {
    if (byte == 0u) {
        return 0u;
    }
    let shift = countLeadingZeros(byte) - 24u;
    let scaled = (byte << shift) << 24u;
    let down = scaled / 255u;
    // 255 is odd, so there are no ties.
    let nearest = down + select(0u, 1u, 2u * (scaled - 255u * down) > 255u);
    // Added, not or-ed: 2^24 carries into the exponent.
    return ((126u - shift) << 23u) + (nearest - 0x800000u);
}

@compute @workgroup_size(256)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        y[u.y_at + i] = data[u.data_at + source(i)];
    }
}

// data_at counts bytes here; a row need not start on a word.
@compute @workgroup_size(256)
fn gather_bytes(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 256u + lane;
    if (i < u.n) {
        let at = u.data_at + source(i);
        y[u.y_at + i] = unit((data[at >> 2u] >> (8u * (at & 3u))) & 255u);
    }
}
