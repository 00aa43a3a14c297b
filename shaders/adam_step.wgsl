// Shared text: one step of Adam for one number, with the step's row of the table, by its first element: p, m and v
// after it. No argument has a buffer's name, since a buffer may be reached through another (`Shader::variant`).

fn table_row() -> u32 {
    return u.table_at + 4u * min(clock[u.clock_at + 1u], u.steps - 1u);
}

fn adam_step(weight: f32, gradient: f32, mean: f32, square: f32, row: u32) -> vec3<f32> {
    let first = fma(u.w1, gradient - mean, mean);
    let second = fma(u.w2 * gradient, gradient, u.beta2 * square);
    let d = fma(sqrt(second), table[row + 2u], u.eps);
    return vec3<f32>(weight * table[row + 3u] - ((table[row] * table[row + 1u]) * first) / d, first, second);
}
