// rows: y[r, c] = v[c], as bits. Bound by bytes: 4 per element.

// first: the number of the first element of y in the whole of it, of which this launch may be a piece.
struct Params { v_at: u32, y_at: u32, n: u32, first: u32, columns: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> v: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn each(i: u32) {
    y[u.y_at + i] = v[u.v_at + (u.first + i) % u.columns];
}
