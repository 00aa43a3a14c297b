// adam: one step of Adam (Kingma and Ba 2015) with decoupled weight decay, with what depends on the step read from a
// table made by the host:
//   m = fma(w1, g - m, m);  v = fma(w2 * g, g, beta2 * v);  p = p * keep - ((lr * c1) * m) / fma(sqrt(v), c2, eps)
//
// Bound by bytes: 28 per element.

struct Params {
    p_at: u32,
    g_at: u32,
    m_at: u32,
    v_at: u32,
    table_at: u32,
    clock_at: u32,
    n: u32,
    first: u32,
    steps: u32,
    w1: f32,
    beta2: f32,
    w2: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> u: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read> table: array<f32>;
@group(0) @binding(6) var<storage, read> clock: array<u32>;

fn each(i: u32) {
    let next = adam_step(p[u.p_at + i], g[u.g_at + i], m[u.m_at + i], v[u.v_at + i], table_row());
    p[u.p_at + i] = next.x;
    m[u.m_at + i] = next.y;
    v[u.v_at + i] = next.z;
}
