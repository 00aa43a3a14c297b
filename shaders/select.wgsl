// select: dx = dy where the cut of the row takes x, else 0, as bits: the choice with dy = x, and its derivative. Bound
// by bytes: 12 per element.

// first: the number of the first element in the whole tensor, of which this launch may be a piece.
struct Params { x_at: u32, cut_at: u32, dy_at: u32, dx_at: u32, n: u32, first: u32, columns: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> cut: array<u32>;
@group(0) @binding(3) var<storage, read> dy: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<u32>;

fn each(i: u32) {
    let row = (u.first + i) / u.columns;
    let column = (u.first + i) % u.columns;
    let mine = key(x[u.x_at + i]);
    let least = cut[u.cut_at + 2u * row];
    let taken = mine > least || (mine == least && column <= cut[u.cut_at + 2u * row + 1u]);
    dx[u.dx_at + i] = select(0u, dy[u.dy_at + i], taken);
}
