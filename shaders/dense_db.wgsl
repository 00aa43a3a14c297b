// dense_db: db[o] = sum_r dz[r, o], in blocks of 256 rows as the products' sums. One thread per column: neighbours read
// neighbouring addresses. Bound by bytes.

struct Params { dz_at: u32, db_at: u32, n: u32, first: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> dz: array<f32>;
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

fn each(column: u32) {
    var total = 0.0;
    for (var r0 = 0u; r0 < u.rows; r0 += 256u) {
        var sum = 0.0;
        for (var r = r0; r < min(r0 + 256u, u.rows); r++) {
            sum = sum + dz[u.dz_at + r * u.columns + column];
        }
        total = total + sum;
    }
    db[u.db_at + column] = total;
}
