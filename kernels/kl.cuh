// A term of the divergence of N(mu, exp(logvar)) from N(0, 1): mu^2 + exp(logvar) - logvar - 1.
#pragma once
#include "exp.cuh"

__device__ inline float kl_term(float mu, float logvar) { return (fmaf(mu, mu, narrows_exp(logvar)) - logvar) - 1.0f; }
