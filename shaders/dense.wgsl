// The three products of a dense layer:
//   dense:    c = a b^T + bias   a = x [B, I],            b = w [O, I]
//   dense_dx: c = a b            a = dz [B, O],           b = w [O, I] read down its columns
//   dense_dw: c = a^T b          a = dz [B, O] read down, b = x [B, I] read down
//
// One body for all: c[row, column] = sum_k a(row, k) b(column, k), either operand with a stride per row (or column) and
// a stride per term. Terms ascend, and every 256 of them are added to the total (docs/numerics.md).
//
// `src/backend/wgpu/product.rs` puts in front: the bindings and parameters, which depend on what follows the product in
// the same launch; `after(row, column, sum)`, which stores a result and what is made of it; `after_bias(row, sum)`, for
// the bias's gradient; and the sizes below. Behind it stands one of two ways to the results of a thread: `dense_tiles`
// or `dense_direct`. There a line with a # is written once for each row, or each quad of columns or of rows:
//   #R a row, #A its quad, #X its component there; #Q a quad of columns, #C a column, #0 to #3 the columns of a quad;
//   #S a quad of a panel that a thread fetches
// and a line that ends with //db only where the sums of a are the bias's gradient.
//
// ACROSS, DOWN: threads of a workgroup along the columns and the rows of its tile
// ROWS, QUADS:  rows of a thread, and quads of its columns
// PARTS, TERMS: of `dense_tiles`

@compute @workgroup_size(ACROSS * DOWN * PARTS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let across = (u.columns + 4u * QUADS * ACROSS - 1u) / (4u * QUADS * ACROSS);
    let tile = group_number(group, groups);
    results(vec2<u32>(tile / across * (ROWS * DOWN), tile % across * (4u * QUADS * ACROSS)), lane);
}
