// clip: y = x * min(1, most / (sqrt(square) + 1e-6)); a norm that is NaN stays one. Bound by bytes: 8 per element.

struct Params { x_at: u32, square_at: u32, y_at: u32, n: u32, first: u32, most: f32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> square: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
    let total = square[u.square_at];
    let factor = u.most / (sqrt(total) + 1e-6);
    let clipped = x[u.x_at + i] * select(factor, 1.0, factor > 1.0);
    y[u.y_at + i] = select(clipped, total, is_nan(total));
}
