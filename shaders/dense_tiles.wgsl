// Shared text: the sums of dense.wgsl through workgroup memory, TERMS terms of a tile's rows and columns at a time: for
// GPUs, where neighbouring threads should read neighbouring addresses, once. Bound by flops where the three sizes are
// large, else by latency: small products need many small tiles to fill a device.

const TERMS: u32 = 16u;
const A_QUADS: u32 = ROWS / 4u * DOWN;
const B_QUADS: u32 = QUADS * ACROSS;

// [term][quad of rows], [term][quad of columns]. One more than the tile has keeps threads that store down a column in
// different banks.
var<workgroup> a_tile: array<vec4<f32>, TERMS * (A_QUADS + 1u)>;
var<workgroup> b_tile: array<vec4<f32>, TERMS * (B_QUADS + 1u)>;

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

// x: quad of rows or columns, y: term. Neighbouring threads read neighbouring addresses: along the terms where their
// stride is 1, else across.
fn share(slot: u32, quads: u32, along_terms: bool) -> vec2<u32> {
    if (along_terms) {
        return vec2<u32>(slot / TERMS, slot % TERMS);
    }
    return vec2<u32>(slot % quads, slot / quads);
}

// One by one: not every compiler takes an index into a vector that is known only at run time.
fn quad(row: u32, column: u32, sum: vec4<f32>) {
    if (row < u.rows) {
        if (column < u.columns) { after(row, column, sum.x); }
        if (column + 1u < u.columns) { after(row, column + 1u, sum.y); }
        if (column + 2u < u.columns) { after(row, column + 2u, sum.z); }
        if (column + 3u < u.columns) { after(row, column + 3u, sum.w); }
    }
}

fn results(corner: vec2<u32>, lane: u32) {
    let across = QUADS * (lane % ACROSS);
    let down = ROWS / 4u * (lane / ACROSS);
    var sum#R_#Q = vec4<f32>();
    var total#R_#Q = vec4<f32>();
    var a_sum#A = vec4<f32>(); //db
    var a_total#A = vec4<f32>(); //db
    for (var k0 = 0u; k0 < u.terms; k0 += TERMS) {
        workgroupBarrier();
        for (var slot = lane; slot < A_QUADS * TERMS; slot += ACROSS * DOWN) {
            let at = share(slot, A_QUADS, u.a_term == 1u);
            let row = corner.x + 4u * at.x;
            let term = k0 + at.y;
            a_tile[at.y * (A_QUADS + 1u) + at.x] =
                vec4<f32>(a_value(row, term), a_value(row + 1u, term), a_value(row + 2u, term), a_value(row + 3u, term));
        }
        for (var slot = lane; slot < B_QUADS * TERMS; slot += ACROSS * DOWN) {
            let at = share(slot, B_QUADS, u.b_term == 1u);
            let column = corner.y + 4u * at.x;
            let term = k0 + at.y;
            b_tile[at.y * (B_QUADS + 1u) + at.x] =
                vec4<f32>(b_value(column, term), b_value(column + 1u, term), b_value(column + 2u, term), b_value(column + 3u, term));
        }
        workgroupBarrier();
        for (var k = 0u; k < TERMS; k++) {
            let a#A = a_tile[k * (A_QUADS + 1u) + down + #Au];
            let b#Q = b_tile[k * (B_QUADS + 1u) + across + #Qu];
            sum#R_#Q = fma(vec4<f32>(a#A.#X), b#Q, sum#R_#Q);
            a_sum#A = a_sum#A + a#A; //db
        }
        if (k0 % 256u == 256u - TERMS) {
            total#R_#Q = total#R_#Q + sum#R_#Q;
            sum#R_#Q = vec4<f32>();
            a_total#A = a_total#A + a_sum#A; //db
            a_sum#A = vec4<f32>(); //db
        }
    }
    let row = corner.x + 4u * down;
    let column = corner.y + 4u * across;
    // With the short last block; after a whole one this adds 0.
    quad(row + #Ru, column + 4u * #Qu, total#R_#Q + sum#R_#Q);
    if (column == 0u && row + #Ru < u.rows) { after_bias(row + #Ru, a_total#A.#X + a_sum#A.#X); } //db
}
