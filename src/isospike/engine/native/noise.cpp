#include "noise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "neurons.hpp"

namespace isospike {
namespace {

constexpr int64_t PAIRS = 512, BLOCK = 2 * PAIRS;

// splitmix64 (Steele et al. 2014) of a counter.
INLINE uint64_t mixed(uint64_t at) {
    at *= 0x9e3779b97f4a7c15u;
    at = (at ^ at >> 30) * 0xbf58476d1ce4e5b9u;
    at = (at ^ at >> 27) * 0x94d049bb133111ebu;
    return at ^ at >> 31;
}

// log x for x in (0, 1], to some 1e-7 (Cephes logf).
INLINE float logarithm(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    int32_t e = (bits >> 23) - 127;
    bits = (bits & 0x7fffff) | 0x3f800000;
    float m;
    std::memcpy(&m, &bits, sizeof m);
    const bool large = m > 1.41421356f;
    m = large ? 0.5f * m : m;
    e += large ? 1 : 0;
    const float f = m - 1.0f, z = f * f;
    float y = 7.0376836292e-2f;
    y = y * f - 1.1514610310e-1f;
    y = y * f + 1.1676998740e-1f;
    y = y * f - 1.2420140846e-1f;
    y = y * f + 1.4249322787e-1f;
    y = y * f - 1.6668057665e-1f;
    y = y * f + 2.0000714765e-1f;
    y = y * f - 2.4999993993e-1f;
    y = y * f + 3.3333331174e-1f;
    return y * f * z - 0.5f * z + f + float(e) * 0.69314718f;
}

// sin and cos of 2 pi t for t in [-1/2, 1/2] (Cephes sinf and cosf).
INLINE void circle(float t, float& sine, float& cosine) {
    const float quarter = std::floor(4.0f * t + 0.5f);
    const int32_t turn = int32_t(quarter);
    const float x = 6.28318531f * (t - 0.25f * quarter), z = x * x;
    const float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x;
    const float c = ((2.4433157118e-5f * z - 1.3887316255e-3f) * z + 4.1666645683e-2f) * z * z -
                    0.5f * z + 1.0f;
    const bool odd = turn & 1;
    sine = odd ? c : s;
    cosine = odd ? s : c;
    sine = turn & 2 ? -sine : sine;
    cosine = (turn + 1) & 2 ? -cosine : cosine;
}

// A whole block: two draws of each counter (Box and Muller 1958), from 24 bits each.
EVERY_WIDTH void block(uint64_t first, float* out) {
    int32_t radius[PAIRS], angle[PAIRS];
    for (int64_t i = 0; i < PAIRS; ++i) {
        const uint64_t random = mixed(first + uint64_t(i));
        radius[i] = int32_t(random >> 40);
        angle[i] = int32_t(random >> 8 & 0xffffffu);
    }
    for (int64_t i = 0; i < PAIRS; ++i) {
        const float u = (float(radius[i]) + 0.5f) * 5.9604645e-8f;
        const float r = std::sqrt(std::max(0.0f, -2.0f * logarithm(u)));
        float sine, cosine;
        circle(float(angle[i]) * 5.9604645e-8f - 0.5f, sine, cosine);
        out[i] = r * cosine;
        out[i + PAIRS] = r * sine;
    }
}

}  // namespace

void normal(uint64_t seed, const Numbers& out, int64_t n, int threads) {
    const uint64_t start = mixed(seed + 1);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = std::min(BLOCK, n - first);
        float drawn[BLOCK];
        block(start + uint64_t(first / 2), drawn);
        write(drawn, out, first, count);
    }
}

}  // namespace isospike
