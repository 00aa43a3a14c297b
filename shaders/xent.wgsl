// xent: the cross-entropy of softmax(z) and a label for each row. With m the largest of a row's C numbers,
// lse[r] = m + ln(sum_c exp(z[r, c] - m)) and loss[r] = lse[r] - z[r, label[r]]. A workgroup of 256 lanes for each row,
// lane l taking columns l, l + 256, ... A label past the last class counts as it.

// n and first: the rows of this launch, and the number of the first of them.
struct Params { z_at: u32, label_at: u32, lse_at: u32, loss_at: u32, n: u32, first: u32, columns: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> label: array<u32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;

// The largest number of all lanes, to each of them. Where one is NaN the row's sum is NaN, whatever this gives.
fn largest(lane: u32, mine: f32) -> f32 {
    lanes[lane] = mine;
    for (var s = 128u; s > 0u; s = s >> 1u) {
        workgroupBarrier();
        if (lane < s) {
            lanes[lane] = max(lanes[lane], lanes[lane + s]);
        }
    }
    workgroupBarrier();
    let most = lanes[0];
    workgroupBarrier();
    return most;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let r = group_number(group, groups);
    let row = u.z_at + min(r, u.n - 1u) * u.columns;
    var mine = z[row];
    for (var c = lane; c < u.columns; c += 256u) {
        mine = max(mine, z[row + c]);
    }
    let most = largest(lane, mine);
    var partial = 0.0;
    for (var c = lane; c < u.columns; c += 256u) {
        let x = z[row + c] - most;
        partial = partial + select(exponential(x), x, is_nan(x));
    }
    let sum = tree(lane, partial);
    if (lane == 0u && r < u.n) {
        let all = select(most + logarithm(sum), sum, is_nan(sum));
        lse[u.lse_at + r] = all;
        loss[u.loss_at + r] = all - z[row + min(label[u.label_at + r], u.columns - 1u)];
    }
}
