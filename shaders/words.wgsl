// Shared text: gather from f32, moved as bits.

fn taken(at: u32) -> u32 {
    return data[at];
}
