// scale_by: y = x * table[min(step, T - 1), column], step = clock[1]: a factor that changes with the step. Bound by
// bytes: 8 per element.

struct Params { x_at: u32, table_at: u32, clock_at: u32, y_at: u32, n: u32, first: u32, rows: u32, columns: u32, column: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read> clock: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
    let row = min(clock[u.clock_at + 1u], u.rows - 1u);
    y[u.y_at + i] = x[u.x_at + i] * table[u.table_at + row * u.columns + u.column];
}
