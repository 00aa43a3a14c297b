// xent_grad: dz[r, c] = dy[r] (exp(z[r, c] - lse[r]) - (c == label[r])): the softmax of each row, less 1 at its label.
// A label past the last class counts as it. Bound by bytes, 8 per element, and an exp.

// first: the number of the first element of z in the whole of it, of which this launch may be a piece.
struct Params {
    z_at: u32,
    label_at: u32,
    lse_at: u32,
    dy_at: u32,
    dz_at: u32,
    n: u32,
    first: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> label: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dz: array<f32>;

fn each(i: u32) {
    let r = (u.first + i) / u.columns;
    let at = min(label[u.label_at + r], u.columns - 1u);
    let x = z[u.z_at + i] - lse[u.lse_at + r];
    let p = select(exponential(x), x, is_nan(x));
    dz[u.dz_at + i] = dy[u.dy_at + r] * (p - select(0.0, 1.0, (u.first + i) % u.columns == at));
}
