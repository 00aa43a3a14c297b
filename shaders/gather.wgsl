// gather:       y[r, c] = data[row, c], row = min(order[(cursor + r) mod M], N - 1), cursor = clock[0].
//               Data of f32 or u32, moved as bits.
// gather_bytes: the same for data of bytes, y = byte / 255 correctly rounded; bytes.wgsl and words.wgsl say what is
// taken.
//
// Bound by bytes: 8 per element, 5 for bytes.

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

fn each(i: u32) {
    y[u.y_at + i] = taken(u.data_at + source(i));
}
