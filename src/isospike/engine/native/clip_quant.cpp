#include "clip_quant.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "neurons.hpp"

namespace isospike {
namespace {

constexpr int64_t BLOCK = 1024;  // values of a block stay in the first cache
constexpr int64_t LANES = 16;    // sums that run side by side

template <bool quantised, bool slips>
INLINE void forward(const float* z, const Clip& clip, float* a, int64_t n) {
    const float theta = clip.theta, levels = float(clip.levels), rest = 1.0f - clip.slip;
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float x = z[i] / theta;
        float u = x < 0.0f ? 0.0f : x;  // what is not a number stays none
        u = u > 1.0f ? 1.0f : u;
        const float q = quantised ? std::floor(u * levels + clip.shift) / levels : u;
        a[i] = (slips ? u * clip.slip + q * rest : q) * theta;
    }
}

EVERY_WIDTH void activate(const float* z, const Clip& clip, float* a, int64_t n) {
    if (!clip.levels) return forward<false, false>(z, clip, a, n);
    clip.slip != 0.0f ? forward<true, true>(z, clip, a, n) : forward<true, false>(z, clip, a, n);
}

// Lanes of sums, so that the order of additions is the same for every vector width.
EVERY_WIDTH double slope(const float* g, const float* z, const float* a, float theta, float* gz,
                         int64_t n) {
    float sums[LANES] = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        EACH_ALONE
        for (int64_t j = 0; j < LANES; ++j) {
            const float x = z[i + j], to = x > 0.0f && x < theta ? g[i + j] : 0.0f;
            sums[j] += g[i + j] * a[i + j] - to * x;
            gz[i + j] = to;
        }
    }
    double total = 0.0;
    for (; i < n; ++i) {
        gz[i] = z[i] > 0.0f && z[i] < theta ? g[i] : 0.0f;
        total += double(g[i] * a[i] - gz[i] * z[i]);
    }
    for (const float sum : sums) total += double(sum);
    return total;
}

EVERY_WIDTH void step(const float* z, float theta, float* v, float* out, float* count,
                      int64_t n) {
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float u = v[i] + z[i] / theta, s = u >= 1.0f ? 1.0f : 0.0f;
        out[i] = s * theta;
        count[i] += s;
        v[i] = u - s;
    }
}

// Where a block of `values` is to be written: at its place, or in `buffer` on the way there.
float* place(const Values& values, int64_t first, float* buffer) {
    return values.narrow ? buffer : static_cast<float*>(values.data) + first;
}

}  // namespace

void clip_quant(const Values& z, const Clip& clip, const Values& a, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < z.n; first += BLOCK) {
        const int64_t n = std::min(BLOCK, z.n - first);
        float in[BLOCK], buffer[BLOCK];
        float* const out = place(a, first, buffer);
        activate(read(z, first, in, n), clip, out, n);
        if (a.narrow) write(out, a, first, n);
    }
}

double clip_quant_back(const Values& g, const Values& z, const Values& a, float theta,
                       const Values& gz, int threads) {
    std::vector<double> sums((z.n + BLOCK - 1) / BLOCK);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < z.n; first += BLOCK) {
        const int64_t n = std::min(BLOCK, z.n - first);
        float gs[BLOCK], zs[BLOCK], as[BLOCK], buffer[BLOCK];
        float* const to = place(gz, first, buffer);
        sums[first / BLOCK] = slope(read(g, first, gs, n), read(z, first, zs, n),
                                    read(a, first, as, n), theta, to, n);
        if (gz.narrow) write(to, gz, first, n);
    }
    double total = 0.0;
    for (const double sum : sums) total += sum;
    return total;
}

void clip_spikes(const Values& z, int64_t steps, float theta, float v0, const Values& out,
                 const Values& rate, int threads) {
    const float share = theta / float(steps);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < rate.n; first += BLOCK) {
        const int64_t n = std::min(BLOCK, rate.n - first);
        float in[BLOCK], sent[BLOCK], v[BLOCK], count[BLOCK];
        std::fill_n(v, n, v0);
        std::fill_n(count, n, 0.0f);
        for (int64_t t = 0; t < steps; ++t) {
            const int64_t at = t * rate.n + first;
            float* const to = place(out, at, sent);
            step(read(z, at, in, n), theta, v, to, count, n);
            if (out.narrow) write(to, out, at, n);
        }
        for (int64_t i = 0; i < n; ++i) count[i] *= share;
        write(count, rate, first, n);
    }
}

}  // namespace isospike
