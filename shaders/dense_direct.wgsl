// Shared text: the sums of dense.wgsl straight from the buffers, for adapters that are programs on a CPU. There a load
// costs as much as a dozen multiplications, whether from a buffer or from workgroup memory, since every lane's is done
// by itself, and a barrier costs more: so a thread has a large tile of its own. Bound by loads.

const BLOCK: u32 = 256u;

// The sums of a quad, which `results` reads again: what follows them is compiled once, and not for each.
fn put(at: u32, column: u32, sum: vec4<f32>) {
    let last = u.columns - 1u;
    c[at + min(column, last)] = sum.x;
    c[at + min(column + 1u, last)] = sum.y;
    c[at + min(column + 2u, last)] = sum.z;
    c[at + min(column + 3u, last)] = sum.w;
}

fn results(corner: vec2<u32>, lane: u32) {
    let row = corner.x + ROWS * (lane / ACROSS);
    let column = corner.y + 4u * QUADS * (lane % ACROSS);
    if (row >= u.rows || column >= u.columns) {
        return;
    }
    // A row or a column outside is the last once more, with the same sums.
    let row#R = min(row + #Ru, u.rows - 1u);
    let a_at#R = u.a_at + row#R * u.a_row;
    let b_at#C = u.b_at + min(column + #Cu, u.columns - 1u) * u.b_column;
    var total#R_#Q = vec4<f32>();
    var a_total#R = 0.0; //db
    for (var k0 = 0u; k0 < u.terms; k0 += BLOCK) {
        var sum#R_#Q = vec4<f32>();
        var a_sum#R = 0.0; //db
        for (var k = k0; k < min(k0 + BLOCK, u.terms); k++) {
            let bk = k * u.b_term;
            let b#Q = vec4<f32>(b[b_at#0 + bk], b[b_at#1 + bk], b[b_at#2 + bk], b[b_at#3 + bk]);
            let a#R = a[a_at#R + k * u.a_term];
            sum#R_#Q = fma(vec4<f32>(a#R), b#Q, sum#R_#Q);
            a_sum#R = a_sum#R + a#R; //db
        }
        total#R_#Q = total#R_#Q + sum#R_#Q;
        a_total#R = a_total#R + a_sum#R; //db
    }
    put(u.c_at + row#R * u.columns, column + 4u * #Qu, total#R_#Q);
    for (var r = row; r < min(row + ROWS, u.rows); r++) {
        for (var n = column; n < min(column + 4u * QUADS, u.columns); n++) {
            after(r, n, c[u.c_at + r * u.columns + n]);
        }
    }
    if (column == 0u) { db[u.db_at + row#R] = a_total#R; } //db
    for (var r = row; column == 0u && r < min(row + ROWS, u.rows); r++) { after_bias(r, db[u.db_at + r]); } //db
}
