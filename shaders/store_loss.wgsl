// store_loss: losses[clock[1] mod T] = loss, as bits. One thread. Bound by the launch.

struct Params { loss_at: u32, clock_at: u32, losses_at: u32, entries: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> loss: array<u32>;
@group(0) @binding(2) var<storage, read> clock: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<u32>;

@compute @workgroup_size(1)
fn store_loss() {
    losses[u.losses_at + clock[u.clock_at + 1u] % u.entries] = loss[u.loss_at];
}
