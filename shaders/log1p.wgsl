// Shared text: log(1 + e) for e in [0, 1]: e + e^2 q(e), the polynomial of docs/numerics.md.
fn log1p(e: f32) -> f32 {
    var q = -0x1.b1f45ep-9f;
    q = fma(q, e, 0x1.4a731ep-6f);
    q = fma(q, e, -0x1.d7d268p-5f);
    q = fma(q, e, 0x1.b52d92p-4f);
    q = fma(q, e, -0x1.3a62fap-3f);
    q = fma(q, e, 0x1.935406p-3f);
    q = fma(q, e, -0x1.ff251ap-3f);
    q = fma(q, e, 0x1.554dd8p-2f);
    q = fma(q, e, -0x1.ffffd2p-2f);
    return fma(e * e, q, e);
}
