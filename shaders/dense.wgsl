// The three products of a dense layer and its bias gradient:
//   dense:    c = a b^T + bias   a = x [B, I],            b = w [O, I]; product_alone has no bias
//   dense_dx: c = a b            a = dz [B, O],           b = w [O, I] read down its columns
//   dense_dw: c = a^T b          a = dz [B, O] read down, b = x [B, I] read down
//   dense_db: c[o] = sum_r a[r, o]
//
// One body for all: c[row, column] = sum_k a(row, k) b(column, k), either operand with a stride per row (or column) and
// a stride per term.
// A workgroup of SIDE x SIDE threads computes a tile of 4 SIDE x 4 SIDE of c, a thread 4 x 4 of it; 16 terms at a time
// go through workgroup memory. Terms ascend, and every 256 of them are added to the total (docs/numerics.md). SIDE (8
// or 16) is put in front of this text: small products need many small tiles to fill a device. Bound by flops where the
// three sizes are large, else by latency.

struct Params {
    a_at: u32,
    b_at: u32,
    bias_at: u32,
    c_at: u32,
    rows: u32,
    columns: u32,
    terms: u32,
    a_row: u32,
    a_term: u32,
    b_column: u32,
    b_term: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

const TERMS: u32 = 16u;
// One column more than the tile has keeps threads that store down a column in different banks.
const PITCH: u32 = SIDE + 1u;

// [term][quad of rows], [term][quad of columns]: 9 KiB together at SIDE = 16.
var<workgroup> a_tile: array<vec4<f32>, TERMS * PITCH>;
var<workgroup> b_tile: array<vec4<f32>, TERMS * PITCH>;

// Four rows of four columns.
struct Block { r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32> }

// 0 outside: such a term adds nothing, and such a row or column is not stored.
fn a_value(row: u32, term: u32) -> f32 {
    if (row < u.rows && term < u.terms) {
        return a[u.a_at + row * u.a_row + term * u.a_term];
    }
    return 0.0;
}

fn b_value(column: u32, term: u32) -> f32 {
    if (column < u.columns && term < u.terms) {
        return b[u.b_at + column * u.b_column + term * u.b_term];
    }
    return 0.0;
}

fn bias_value(column: u32) -> f32 {
    if (column < u.columns) {
        return bias[u.bias_at + column];
    }
    return 0.0;
}

// x: quad of rows or columns, y: term. Neighbouring threads read neighbouring addresses: along the terms where their
// stride is 1, else across.
fn share(slot: u32, along_terms: bool) -> vec2<u32> {
    if (along_terms) {
        return vec2<u32>(slot / TERMS, slot % TERMS);
    }
    return vec2<u32>(slot % SIDE, slot / SIDE);
}

fn product(row0: u32, column0: u32, lane: u32) -> Block {
    let tx = lane % SIDE;
    let ty = lane / SIDE;
    var block = Block();
    var total = Block();
    for (var k0 = 0u; k0 < u.terms; k0 += TERMS) {
        workgroupBarrier();
        for (var slot = lane; slot < SIDE * TERMS; slot += SIDE * SIDE) {
            let at = share(slot, u.a_term == 1u);
            let row = row0 + 4u * at.x;
            let term = k0 + at.y;
            a_tile[at.y * PITCH + at.x] = vec4<f32>(a_value(row, term), a_value(row + 1u, term), a_value(row + 2u, term), a_value(row + 3u, term));
        }
        for (var slot = lane; slot < SIDE * TERMS; slot += SIDE * SIDE) {
            let at = share(slot, u.b_term == 1u);
            let column = column0 + 4u * at.x;
            let term = k0 + at.y;
            b_tile[at.y * PITCH + at.x] =
                vec4<f32>(b_value(column, term), b_value(column + 1u, term), b_value(column + 2u, term), b_value(column + 3u, term));
        }
        workgroupBarrier();
        for (var k = 0u; k < TERMS; k++) {
            let av = a_tile[k * PITCH + ty];
            let bv = b_tile[k * PITCH + tx];
            block.r0 = fma(vec4<f32>(av.x), bv, block.r0);
            block.r1 = fma(vec4<f32>(av.y), bv, block.r1);
            block.r2 = fma(vec4<f32>(av.z), bv, block.r2);
            block.r3 = fma(vec4<f32>(av.w), bv, block.r3);
        }
        if (k0 % 256u == 256u - TERMS) {
            total = plus(total, block);
            block = Block();
        }
    }
    // The short last block; after a whole one this adds 0.
    return plus(total, block);
}

fn plus(x: Block, y: Block) -> Block {
    return Block(x.r0 + y.r0, x.r1 + y.r1, x.r2 + y.r2, x.r3 + y.r3);
}

fn store(row: u32, column: u32, value: vec4<f32>) {
    if (row < u.rows) {
        let at = u.c_at + row * u.columns + column;
        // One by one: not every compiler takes an index into a vector that is known only at run time.
        if (column < u.columns) { c[at] = value.x; }
        if (column + 1u < u.columns) { c[at + 1u] = value.y; }
        if (column + 2u < u.columns) { c[at + 2u] = value.z; }
        if (column + 3u < u.columns) { c[at + 3u] = value.w; }
    }
}

fn store_block(row: u32, column: u32, block: Block) {
    store(row, column, block.r0);
    store(row + 1u, column, block.r1);
    store(row + 2u, column, block.r2);
    store(row + 3u, column, block.r3);
}

// The first row and column of this workgroup's tile.
fn corner(group: vec3<u32>, groups: vec3<u32>) -> vec2<u32> {
    let across = (u.columns + 4u * SIDE - 1u) / (4u * SIDE);
    let tile = group_number(group, groups);
    return vec2<u32>(tile / across, tile % across) * (4u * SIDE);
}

@compute @workgroup_size(SIDE * SIDE)
fn dense(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = corner(group, groups);
    let block = product(at.x, at.y, lane);
    let row = at.x + 4u * (lane / SIDE);
    let column = at.y + 4u * (lane % SIDE);
    let q = vec4<f32>(bias_value(column), bias_value(column + 1u), bias_value(column + 2u), bias_value(column + 3u));
    store_block(row, column, plus(block, Block(q, q, q, q)));
}

@compute @workgroup_size(SIDE * SIDE)
fn product_alone(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = corner(group, groups);
    let block = product(at.x, at.y, lane);
    store_block(at.x + 4u * (lane / SIDE), at.y + 4u * (lane % SIDE), block);
}

// One thread per column: neighbours read neighbouring addresses.
@compute @workgroup_size(SIDE * SIDE)
fn dense_db(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = group_number(group, groups) * (SIDE * SIDE) + lane;
    if (column < u.columns) {
        var total = 0.0;
        for (var k0 = 0u; k0 < u.terms; k0 += 256u) {
            var sum = 0.0;
            for (var k = k0; k < min(k0 + 256u, u.terms); k++) {
                sum = sum + a[u.a_at + k * u.columns + column];
            }
            total = total + sum;
        }
        c[u.c_at + column] = total;
    }
}
