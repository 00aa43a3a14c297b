// merge_topk: the k largest numbers of a row so far, and where they stood: of those that are kept and of the new ones
// the k largest, in the order in which they came.
// A workgroup for each row. Bound by bytes where nothing new is large enough, which one pass tells: 4 per element. Else
// the k-th largest is found as in cut, and what is taken moves up, old numbers first.

// n: the rows of this launch.
struct Params { x_at: u32, clock_at: u32, values_at: u32, index_at: u32, n: u32, first: u32, columns: u32, k: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> clock: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> index: array<u32>;

// The smallest key that is kept, and the largest of the new ones.
var<workgroup> least: atomic<u32>;
var<workgroup> most: atomic<u32>;
var<workgroup> sums: array<u32, 256>;

fn kept_key(row: u32, i: u32) -> u32 {
    return key(values[u.values_at + row * u.k + i]);
}

fn new_key(row: u32, i: u32) -> u32 {
    return key(x[u.x_at + row * u.columns + i]);
}

fn key_of(row: u32, i: u32) -> u32 {
    if (i < u.k) {
        return kept_key(row, i);
    }
    return new_key(row, i - u.k);
}

// How many elements the threads before this one have, of which this one has `mine`; sums[255] becomes the number of
// all.
fn earlier(t: u32, mine: u32) -> u32 {
    sums[t] = mine;
    workgroupBarrier();
    for (var step_ = 1u; step_ < 256u; step_ *= 2u) {
        var more = 0u;
        if (t >= step_) {
            more = sums[t - step_];
        }
        workgroupBarrier();
        sums[t] += more;
        workgroupBarrier();
    }
    return sums[t] - mine;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = group_number(group, groups);
    // A row past the end has no elements, and nothing is written for it.
    let columns = select(0u, u.columns, row < u.n);
    if (t == 0u) {
        atomicStore(&least, 0xffffffffu);
        atomicStore(&most, 0u);
    }
    workgroupBarrier();
    var low = 0xffffffffu;
    for (var i = t; i < select(0u, u.k, row < u.n); i += 256u) {
        low = min(low, kept_key(row, i));
    }
    var high = 0u;
    for (var i = t; i < columns; i += 256u) {
        high = max(high, new_key(row, i));
    }
    atomicMin(&least, low);
    atomicMax(&most, high);
    workgroupBarrier();
    let some = columns > 0u && atomicLoad(&most) > atomicLoad(&least);
    let kth = kth_largest(t, row, some, u.k + u.columns, u.k);

    let kept = u.values_at + row * u.k;
    let places = u.index_at + row * u.k;
    var done = 0u;
    for (var start = 0u; start < u.k; start += 256u) {
        let i = start + t;
        var value = 0u;
        var place = 0u;
        var stays = false;
        if (some && i < u.k) {
            value = values[kept + i];
            place = index[places + i];
            stays = takes(kth, key(value), i);
        }
        let to = done + earlier(t, u32(stays));
        if (stays) {
            values[kept + to] = value;
            index[places + to] = place;
        }
        done += sums[255];
        workgroupBarrier();
    }
    // Each thread has some neighbours of the new numbers.
    let each = (u.columns + 255u) / 256u;
    let begin = t * each;
    let end = select(0u, min(begin + each, u.columns), some);
    var mine = 0u;
    for (var i = begin; i < end; i++) {
        mine += u32(takes(kth, new_key(row, i), u.k + i));
    }
    var to = done + earlier(t, mine);
    for (var i = begin; i < end && to < u.k; i++) {
        if (takes(kth, new_key(row, i), u.k + i)) {
            values[kept + to] = x[u.x_at + row * u.columns + i];
            index[places + to] = clock[u.clock_at] + i;
            to++;
        }
    }
}
