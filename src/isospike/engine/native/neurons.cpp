#include "neurons.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace isospike {
namespace {

// Neurons that a thread takes through all steps at once: their membranes stay in the first cache.
constexpr int64_t BLOCK = 256;

template <bool hard>
INLINE void fire(const float* z, float* out, float* v, const Neurons& at, int32_t* spikes,
                 int64_t n) {
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float drive = (z[i] + at.bias[i]) / at.theta[i];
        const float u = v[i] + drive;
        const bool s = u >= 1.0f;
        const float spike = s ? 1.0f : 0.0f;
        v[i] = hard ? (s ? 0.0f : u) : u - spike;
        out[i] = spike * at.amplitude[i];
        spikes[i] += s;
    }
}

EVERY_WIDTH void step(const float* z, float* out, float* v, const Neurons& at, bool hard,
                      int32_t* spikes, int64_t n) {
    if (hard) {
        fire<true>(z, out, v, at, spikes, n);
    } else {
        fire<false>(z, out, v, at, spikes, n);
    }
}

// Calls work(first neuron, how many, their parameters) for every block, shared among the threads.
template <typename Work>
void for_blocks(const Neurons& all, int threads, Work work) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < all.count; first += BLOCK) {
        const int64_t n = std::min(BLOCK, all.count - first);
        work(first, n, Neurons{all.theta + first, all.bias + first, all.amplitude + first, n});
    }
}

// Ones in the binary form of a whole number: those of a float's mantissa, whatever the exponent.
INLINE int32_t ones(float whole) {
    int32_t bits;
    std::memcpy(&bits, &whole, sizeof bits);
    bits &= 0x007FFFFF;  // the leading one is not stored
    bits -= (bits >> 1) & 0x55555555;
    bits = (bits & 0x33333333) + ((bits >> 2) & 0x33333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F;
    bits += bits >> 8;
    bits += bits >> 16;
    return (bits & 0x1F) + (whole >= 1.0f);
}

template <int base, bool counting>
INLINE void encode(const float* z, float* out, const Neurons& at, const float* v0, float gain,
                   float span, int32_t digits, int32_t* spikes, int64_t n) {
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float total = (z[i] + at.bias[i] * gain) / at.theta[i];
        const float low = std::floor(total + v0[i]);
        const float code = std::min(std::max(low, 0.0f), span);
        out[i] = code * at.amplitude[i];
        if (!counting) continue;
        const float whole = std::max(0.0f, code);  // 0 where the drive is no number
        // A full train has a spike in every step; a float may have rounded its code up.
        spikes[i] += base == 1 ? int32_t(whole) : whole >= span ? digits : ones(whole);
    }
}

EVERY_WIDTH void radix(const float* z, float* out, const Neurons& at, const float* v0, float gain,
                       int base, int digits, int32_t* spikes, int64_t n) {
    const float span = base == 1 ? float(digits) : float((int64_t(1) << digits) - 1);
    if (!spikes) {
        encode<1, false>(z, out, at, v0, gain, span, digits, spikes, n);
    } else if (base == 1) {
        encode<1, true>(z, out, at, v0, gain, span, digits, spikes, n);
    } else {
        encode<2, true>(z, out, at, v0, gain, span, digits, spikes, n);
    }
}

}  // namespace

void integrate_and_fire(const float* z, int64_t z_stride, float* out, float* v,
                        const Neurons& neurons, bool hard, int64_t batch, const int64_t* readings,
                        int64_t readings_count, int64_t* counts, int threads) {
    const int64_t size = neurons.count, frame = batch * size;
    for_blocks(neurons, threads, [&](int64_t first, int64_t n, const Neurons& at) {
        int32_t spikes[BLOCK];
        for (int64_t b = 0; b < batch; ++b) {
            const int64_t here = b * size + first;
            for (int64_t r = 0, t = 0; r < readings_count; ++r) {
                std::fill_n(spikes, n, 0);
                for (; t < readings[r]; ++t) {
                    step(z + t * z_stride + here, out + t * frame + here, v + here, at, hard,
                         spikes, n);
                }
                int64_t* total = counts + r * size + first;
                for (int64_t i = 0; i < n; ++i) total[i] += spikes[i];
            }
        }
    });
}

void radix_encode(const float* z, float* out, const Neurons& neurons, const float* v0, float gain,
                  int base, int digits, int64_t batch, int64_t* counts, int threads) {
    const int64_t size = neurons.count;
    for_blocks(neurons, threads, [&](int64_t first, int64_t n, const Neurons& at) {
        int32_t spikes[BLOCK];
        for (int64_t b = 0; b < batch; ++b) {
            const int64_t here = b * size + first;
            if (counts) std::fill_n(spikes, n, 0);
            radix(z + here, out + here, at, v0 + first, gain, base, digits,
                  counts ? spikes : nullptr, n);
            for (int64_t i = 0; counts && i < n; ++i) counts[first + i] += spikes[i];
        }
    });
}

}  // namespace isospike
