// advance: clock[0] = (clock[0] + rows) mod period, clock[1] = clock[1] + 1. One thread. Bound by the launch.

struct Params { clock_at: u32, n: u32, first: u32, rows: u32, period: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read_write> clock: array<u32>;

@compute @workgroup_size(1)
fn main() {
    clock[u.clock_at] = moved(clock[u.clock_at]);
    clock[u.clock_at + 1u] = clock[u.clock_at + 1u] + 1u;
}
