// Shared text: the workgroup memory of dense_tiles.wgsl, and which thread fetches what of it. Several products in one
// launch have it once.

const THREADS: u32 = ACROSS * DOWN;
const A_QUADS: u32 = ROWS / 4u * DOWN;
const B_QUADS: u32 = QUADS * ACROSS;
// One more than the tile has keeps threads that store down a column in different banks.
const A_PITCH: u32 = A_QUADS + 1u;
const B_PITCH: u32 = B_QUADS + 1u;

// [part][term][quad of rows], [part][term][quad of columns].
var<workgroup> a_tile: array<vec4<f32>, PARTS * TERMS * A_PITCH>;
var<workgroup> b_tile: array<vec4<f32>, PARTS * TERMS * B_PITCH>;
// The sums of a part, on their way to the first.
var<workgroup> room: array<vec4<f32>, (ROWS * QUADS + ROWS / 4u) * THREADS>; //split

// x: quad of rows or columns, y: term. Neighbouring threads read neighbouring addresses: along the terms where their
// stride is 1, else across.
fn share(slot: u32, quads: u32, along_terms: bool) -> vec2<u32> {
    if (along_terms) {
        return vec2<u32>(slot / TERMS, slot % TERMS);
    }
    return vec2<u32>(slot % quads, slot / quads);
}
