// copy: y = x. Bound by bytes: 8 per element. The bits are copied, NaN and subnormals included.
// A kernel and not a copy command, because a copy command would end the compute pass that a whole run lives in.

struct Params { x_at: u32, y_at: u32, n: u32, first: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn each(i: u32) {
    y[u.y_at + i] = x[u.x_at + i];
}
