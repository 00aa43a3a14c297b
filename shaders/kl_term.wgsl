// Shared text: a term of the divergence of N(mu, exp(logvar)) from N(0, 1). It needs exponential.wgsl.

fn kl_term(mu: f32, logvar: f32) -> f32 {
    let term = (fma(mu, mu, exponential(logvar)) - logvar) - 1.0;
    return select(term, logvar, is_nan(logvar));
}
