// idle: 0 where any row of the code has the unit on, else as many rows more, at most 2^24. By the bits: NaN is on,
// subnormal numbers are off. A thread per unit. Bound by the latency of memory.

// first: the number of the first unit, as this launch may be a piece.
struct Params { code_at: u32, idle_at: u32, n: u32, first: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> code: array<u32>;
@group(0) @binding(2) var<storage, read_write> idle: array<u32>; // as bits

fn each(i: u32) {
    var on = false;
    for (var r = 0u; r < u.rows && !on; r++) {
        on = (code[u.code_at + r * u.columns + u.first + i] & 0x7fffffffu) >= 0x00800000u;
    }
    let longer = bitcast<f32>(idle[u.idle_at + i]) + f32(u.rows);
    idle[u.idle_at + i] = bitcast<u32>(select(select(longer, 16777216.0, longer > 16777216.0), 0.0, on));
}
