// kl_terms: y = mu^2 + exp(logvar) - logvar - 1, the terms of kl. About 25 operations an element. y may be mu or
// logvar.
#include "kl.cuh"
#include "zip.cuh"

struct KlTerms {
    static __device__ float value(float mu, float logvar) { return kl_term(mu, logvar); }
};

extern "C" __global__ void kl_terms_each(const float* mu, const float* logvar, float* y, unsigned N) {
    zip_each<KlTerms>(mu, logvar, y, N);
}
