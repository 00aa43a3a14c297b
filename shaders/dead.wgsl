// dead: y[r, c] = idle[c] >= least ? x[r, c] : other, as bits. Bound by bytes: 8 per element.

// first: the number of the first element in the whole tensor, of which this launch may be a piece.
struct Params { x_at: u32, idle_at: u32, y_at: u32, n: u32, first: u32, columns: u32, least: f32, other: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> idle: array<u32>; // as bits
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn each(i: u32) {
    y[u.y_at + i] = select(bitcast<u32>(u.other), x[u.x_at + i], bitcast<f32>(idle[u.idle_at + (u.first + i) % u.columns]) >= u.least);
}
