//! clip: the factor that scales all gradients. Moves as many bytes as `scale`.

/// `min(1, most / (norm + 1e-6))`. A norm of NaN gives NaN.
pub(super) fn factor(square: f32, most: f32) -> f32 {
    let factor = most / (square.sqrt() + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}
