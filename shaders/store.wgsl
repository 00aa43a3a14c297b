// store: entry clock[1] mod T of the ring becomes x, as bits. Bound by bytes: 8 per element.

// first: the number of the first element of x in the whole entry, of which this launch may be a piece.
struct Params { x_at: u32, clock_at: u32, ring_at: u32, n: u32, first: u32, entry: u32, entries: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> clock: array<u32>;
@group(0) @binding(3) var<storage, read_write> ring: array<u32>;

fn each(i: u32) {
    ring[u.ring_at + clock[u.clock_at + 1u] % u.entries * u.entry + u.first + i] = x[u.x_at + i];
}
