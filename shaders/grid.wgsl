// Shared text, prepended to every shader: which element is mine.
// A grid is folded over x and y, because WebGPU allows 65,535 workgroups per dimension; the last row of the fold may be
// ragged, so every kernel guards.

fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

