// cut: the k largest numbers of each row, as a threshold: the key of the smallest that is taken, and the index of the
// last one of that key. An element is the pair (key, columns - 1 - index); the k-th largest is found eight bits at a
// time, by counts of integers, whose order does not matter.
// A workgroup for each row. Bound by the latency of workgroup memory; one row of a whole batch keeps one workgroup
// busy.

// n: the rows of this launch.
struct Params { x_at: u32, cut_at: u32, n: u32, first: u32, columns: u32, k: u32 }

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> cut: array<u32>;

var<workgroup> bins: array<atomic<u32>, 256>;
// The pairs in each sixteen bins.
var<workgroup> sixteens: array<u32, 16>;
// The bin, and how many of its pairs are taken.
var<workgroup> chosen: array<u32, 2>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = group_number(group, groups);
    // A row past the end has no elements, and nothing is written for it.
    let columns = select(0u, u.columns, row < u.n);
    var least = 0u;
    var place = 0u;
    var known = vec2<u32>(0u, 0u);
    var left = u.k;
    for (var pass_ = 0u; pass_ < 8u; pass_++) {
        let half = pass_ / 4u;
        let shift = 24u - 8u * (pass_ % 4u);
        // The upper bytes of all indices are 0.
        if (half == 0u || ((u.columns - 1u) >> shift) != 0u) {
            atomicStore(&bins[t], 0u);
            workgroupBarrier();
            for (var i = t; i < columns; i += 256u) {
                let mine = key(x[u.x_at + row * u.columns + i]);
                let from_end = u.columns - 1u - i;
                if (((mine ^ least) & known.x) == 0u && ((from_end ^ place) & known.y) == 0u) {
                    atomicAdd(&bins[(select(from_end, mine, half == 0u) >> shift) & 255u], 1u);
                }
            }
            workgroupBarrier();
            if (t < 16u) {
                var sum = 0u;
                for (var b = 0u; b < 16u; b++) {
                    sum += atomicLoad(&bins[16u * t + b]);
                }
                sixteens[t] = sum;
            }
            workgroupBarrier();
            // The pairs in later bins.
            var above = 0u;
            for (var g = t / 16u + 1u; g < 16u; g++) {
                above += sixteens[g];
            }
            for (var b = t + 1u; b % 16u != 0u; b++) {
                above += atomicLoad(&bins[b]);
            }
            if (above < left && left <= above + atomicLoad(&bins[t])) {
                chosen[0] = t;
                chosen[1] = left - above;
            }
            workgroupBarrier();
            let digit = chosen[0] << shift;
            left = chosen[1];
            least |= select(0u, digit, half == 0u);
            place |= select(digit, 0u, half == 0u);
        }
        known |= select(vec2<u32>(0u, 255u << shift), vec2<u32>(255u << shift, 0u), half == 0u);
    }
    if (t == 0u && row < u.n) {
        cut[u.cut_at + 2u * row] = least;
        cut[u.cut_at + 2u * row + 1u] = u.columns - 1u - place;
    }
}
