// kl: the terms are mu^2 + exp(logvar) - logvar - 1; grad = s (exp(logvar) - 1) is the derivative by logvar. Some 25
// operations an element each.

fn with_one(lane: f32, mu: f32, logvar: f32) -> f32 {
    return lane + kl_term(mu, logvar);
}

fn grad(logvar: f32, _other: f32, s: f32) -> f32 {
    return select(s * (exponential(logvar) - 1.0), logvar, is_nan(logvar));
}
