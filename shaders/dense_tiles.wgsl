// Shared text: the sums of dense.wgsl through workgroup memory, a panel of TERMS terms of a tile's rows and columns at
// a time: for GPUs, where neighbouring threads should read neighbouring addresses, once. The next panel is fetched into
// registers while one is added up. Bound by flops where the three sizes are large, else by latency: small products need
// many small tiles to fill a device.
//
// PARTS groups of ACROSS x DOWN threads take a block of 256 terms each, and their sums are added to the totals in the
// order of the blocks. A line that ends with //split stands only where there are several.

// A term of four rows or four columns. Those outside are the last once more, and are not stored: without a branch, all
// loads of a thread are on their way at once.
fn a_quad(row: u32, term: u32) -> vec4<f32> {
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(u.rows - 1u));
    let at = u.a_at + u.a_row * rows + u.a_term * min(term, u.terms - 1u);
    return inside(vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]), term);
}

fn b_quad(column: u32, term: u32) -> vec4<f32> {
    let columns = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(u.columns - 1u));
    let at = u.b_at + u.b_column * columns + u.b_term * min(term, u.terms - 1u);
    return inside(vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]), term);
}

// A term outside is 0, and adds nothing.
fn inside(values: vec4<f32>, term: u32) -> vec4<f32> {
    return select(vec4<f32>(), values, term < u.terms);
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
    let part = lane / THREADS;
    let own = lane % THREADS;
    let across = own % ACROSS;
    let down = own / ACROSS;
    var sum#R_#Q = vec4<f32>();
    var total#R_#Q = vec4<f32>();
    var a_sum#A = vec4<f32>(); //db
    var a_total#A = vec4<f32>(); //db
    let a_share#S = share(own + #Su * THREADS, A_QUADS, u.a_term == 1u);
    let b_share#S = share(own + #Su * THREADS, B_QUADS, u.b_term == 1u);
    var next_a#S = vec4<f32>();
    var next_b#S = vec4<f32>();
    if (u.terms > 0u) {
        next_a#S = a_quad(corner.x + 4u * a_share#S.x, 256u * part + a_share#S.y);
        next_b#S = b_quad(corner.y + 4u * b_share#S.x, 256u * part + b_share#S.y);
    }
    // k0 is the first part's; the others are 256 terms apart.
    for (var k0 = 0u; k0 < u.terms;) {
        workgroupBarrier();
        a_tile[(part * TERMS + a_share#S.y) * A_PITCH + a_share#S.x] = next_a#S;
        b_tile[(part * TERMS + b_share#S.y) * B_PITCH + b_share#S.x] = next_b#S;
        workgroupBarrier();
        let folds = k0 % 256u == 256u - TERMS || u.terms - k0 <= TERMS;
        k0 = select(k0 + TERMS, (k0 / 256u + PARTS) * 256u, folds);
        next_a#S = a_quad(corner.x + 4u * a_share#S.x, k0 + 256u * part + a_share#S.y);
        next_b#S = b_quad(corner.y + 4u * b_share#S.x, k0 + 256u * part + b_share#S.y);
        for (var t = 0u; t < TERMS; t++) {
            let k = part * TERMS + t;
            let a#A = a_tile[k * A_PITCH + down + #Au * DOWN];
            let b#Q = b_tile[k * B_PITCH + across + #Qu * ACROSS];
            sum#R_#Q = fma(vec4<f32>(a#A.#X), b#Q, sum#R_#Q);
            a_sum#A = a_sum#A + a#A; //db
        }
        if (folds) {
            // Of the first part; the other parts' totals are not used.
            total#R_#Q = total#R_#Q + sum#R_#Q;
            a_total#A = a_total#A + a_sum#A; //db
            for (var p = 1u; p < PARTS; p++) { //split
                workgroupBarrier(); //split
                if (part == p) { //split
                    room[(#Ru * QUADS + #Qu) * THREADS + own] = sum#R_#Q; //split
                    room[(ROWS * QUADS + #Au) * THREADS + own] = a_sum#A; //split //db
                } //split
                workgroupBarrier(); //split
                total#R_#Q = total#R_#Q + room[(#Ru * QUADS + #Qu) * THREADS + own]; //split
                a_total#A = a_total#A + room[(ROWS * QUADS + #Au) * THREADS + own]; //split //db
            } //split
            sum#R_#Q = vec4<f32>();
            a_sum#A = vec4<f32>(); //db
        }
    }
    if (part > 0u) {
        return;
    }
    let row#A = corner.x + 4u * (down + #Au * DOWN);
    quad(row#A + #Ru % 4u, corner.y + 4u * (across + #Qu * ACROSS), total#R_#Q);
    if (corner.y + across == 0u && row#A + #Ru % 4u < u.rows) { after_bias(row#A + #Ru % 4u, a_total#A.#X); } //db
}
