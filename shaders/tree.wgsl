// Shared text: the reduction tree of docs/numerics.md over the 256 lanes of a workgroup. Its form is fixed, so a sum
// does not depend on the device.

var<workgroup> lanes: array<f32, 256>;

// Every lane of the workgroup calls this with its partial sum; the result is the total in lane 0 and of no meaning in
// the others.
fn tree(lane: u32, partial: f32) -> f32 {
    lanes[lane] = partial;
    for (var s = 128u; s > 0u; s = s >> 1u) {
        workgroupBarrier();
        if (lane < s) {
            lanes[lane] = lanes[lane] + lanes[lane + s];
        }
    }
    return lanes[lane];
}

