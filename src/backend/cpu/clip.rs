//! clip: by what all gradients are scaled. Moves what `scale` moves.

/// `min(1, most / (norm + 1e-6))`. A norm that is NaN stays one.
pub(super) fn factor(square: f32, most: f32) -> f32 {
    let factor = most / (square.sqrt() + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}
