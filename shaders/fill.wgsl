// fill: y[i] = value. Bound by bytes: 4 per element. The value travels as its bits.

struct Params { y_at: u32, n: u32, first: u32, value: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

fn each(i: u32) {
    y[u.y_at + i] = u.value;
}
