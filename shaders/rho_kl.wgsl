// rho_kl: the terms are rho ln(rho / q) + (1 - rho) ln((1 - rho) / (1 - q)), q kept 2^-20 away from 0 and 1: how far
// mean activities q are from the wanted rho; grad = s ((1 - rho) / (1 - q) - rho / q) at the kept q.

fn away(q: f32) -> f32 {
    return clamp(q, 0x1p-20f, 1.0f - 0x1p-20f);
}

fn with_one(lane: f32, x: f32, rho: f32) -> f32 {
    let q = away(x);
    let rest = 1.0 - rho;
    let term = fma(rho, logarithm(rho / q), rest * logarithm(rest / (1.0 - q)));
    return lane + select(term, x, is_nan(x));
}

fn grad(x: f32, rho: f32, s: f32) -> f32 {
    let q = away(x);
    return select(s * ((1.0 - rho) / (1.0 - q) - rho / q), x, is_nan(x));
}
