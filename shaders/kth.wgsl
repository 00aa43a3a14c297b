// Shared text: the k-th largest of a row's keys, of equal ones the first first. An element is the pair
// (key, count - 1 - index); the k-th largest is found eight bits at a time, by counts of integers, whose order does not
// matter. `key_of(row, i)` is the op's own.

var<workgroup> bins: array<atomic<u32>, 256>;
// The pairs in each sixteen bins.
var<workgroup> sixteens: array<u32, 16>;
// The bin, and how many of its pairs are taken.
var<workgroup> chosen: array<u32, 2>;

// For a whole workgroup: the key and the index, of `count` elements; of none where the workgroup has no row.
fn kth_largest(t: u32, row: u32, some: bool, count: u32, k: u32) -> vec2<u32> {
    let here = select(0u, count, some);
    var least = 0u;
    var place = 0u;
    var known = vec2<u32>(0u, 0u);
    var left = k;
    for (var pass_ = 0u; pass_ < 8u; pass_++) {
        let half = pass_ / 4u;
        let shift = 24u - 8u * (pass_ % 4u);
        // The upper bytes of all indices are 0.
        if (half == 0u || ((count - 1u) >> shift) != 0u) {
            atomicStore(&bins[t], 0u);
            workgroupBarrier();
            for (var i = t; i < here; i += 256u) {
                let mine = key_of(row, i);
                let from_end = count - 1u - i;
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
    return vec2<u32>(least, count - 1u - place);
}

// Whether an element is among the k largest.
fn takes(kth: vec2<u32>, mine: u32, i: u32) -> bool {
    return mine > kth.x || (mine == kth.x && i <= kth.y);
}
