#include "neurons.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace isospike {
namespace {

// Neurons that a thread takes through all steps at once: their membranes stay in the first cache.
constexpr int64_t BLOCK = 256;

// The parameters of `count` neurons, at most BLOCK, from neuron `first` on: a number for each.
struct Block {
    int64_t first, count;
    float theta[BLOCK], bias[BLOCK], amplitude[BLOCK], v0[BLOCK];

    Block(const Neurons& all, int64_t first)
        : first(first), count(std::min(BLOCK, all.count - first)) {
        spread(all.theta, all.count, theta);
        spread(all.bias, all.count, bias);
        spread(all.amplitude, all.count, amplitude);
        spread(all.v0, all.count, v0);
    }

    void spread(const Parameter& from, int64_t all, float* to) const {
        const int64_t run = all / from.values;
        if (run == 1) {
            std::copy_n(from.at + first, count, to);
            return;
        }
        int64_t which = first / run;
        for (int64_t i = 0, end; i < count; i = end, ++which) {
            end = std::min(count, (which + 1) * run - first);
            std::fill(to + i, to + end, from.at[which]);
        }
    }
};

template <bool hard, bool sending>
INLINE void fire(const float* z, float* out, float* v, const Block& at, int32_t* spikes) {
    EACH_ALONE
    for (int64_t i = 0; i < at.count; ++i) {
        const float drive = (z[i] + at.bias[i]) / at.theta[i];
        const float u = v[i] + drive;
        const bool s = u >= 1.0f;
        const float spike = s ? 1.0f : 0.0f;
        v[i] = hard ? (s ? 0.0f : u) : u - spike;
        if (sending) out[i] = spike * at.amplitude[i];
        spikes[i] += s;
    }
}

// One step; out: none where only the spikes count.
EVERY_WIDTH void step(const float* z, float* out, float* v, const Block& at, bool hard,
                      int32_t* spikes) {
    if (out) {
        hard ? fire<true, true>(z, out, v, at, spikes) : fire<false, true>(z, out, v, at, spikes);
    } else {
        hard ? fire<true, false>(z, out, v, at, spikes) : fire<false, false>(z, out, v, at, spikes);
    }
}

// Calls work(block) for every block of neurons, shared among the threads.
template <typename Work>
void for_blocks(const Neurons& all, int threads, Work work) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < all.count; first += BLOCK) {
        work(Block(all, first));
    }
}

// Calls work(image, block) for every image and block. A thread takes neighbouring neurons image
// after image: with all images of one block first, it would jump through memory at every step.
template <typename Work>
void for_images(const Neurons& all, int64_t batch, int threads, Work work) {
    const int64_t blocks = (all.count + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t share = 0; share < threads; ++share) {
        const int64_t from = blocks * share / threads, to = blocks * (share + 1) / threads;
        for (int64_t b = 0; b < batch; ++b)
            for (int64_t block = from; block < to; ++block) work(b, Block(all, block * BLOCK));
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
INLINE void encode(const float* z, float* out, const Block& at, float gain, float span,
                   int32_t digits, int32_t* spikes) {
    EACH_ALONE
    for (int64_t i = 0; i < at.count; ++i) {
        const float total = (z[i] + at.bias[i] * gain) / at.theta[i];
        const float low = std::floor(total + at.v0[i]);
        const float code = std::min(std::max(low, 0.0f), span);
        out[i] = code * at.amplitude[i];
        if (!counting) continue;
        const float whole = std::max(0.0f, code);  // 0 where the drive is no number
        // A full train has a spike in every step; a float may have rounded its code up.
        spikes[i] += base == 1 ? int32_t(whole) : whole >= span ? digits : ones(whole);
    }
}

EVERY_WIDTH void radix(const float* z, float* out, const Block& at, float gain, int base,
                       int digits, int32_t* spikes) {
    const float span = base == 1 ? float(digits) : float((int64_t(1) << digits) - 1);
    if (!spikes) {
        encode<1, false>(z, out, at, gain, span, digits, spikes);
    } else if (base == 1) {
        encode<1, true>(z, out, at, gain, span, digits, spikes);
    } else {
        encode<2, true>(z, out, at, gain, span, digits, spikes);
    }
}

}  // namespace

void integrate_and_fire(const float* z, int64_t z_stride, float* out, float* v,
                        const Neurons& neurons, bool hard, int64_t batch, const int64_t* readings,
                        int64_t readings_count, int64_t* counts, int threads) {
    const int64_t size = neurons.count, frame = batch * size;
    for_images(neurons, batch, threads, [&](int64_t b, const Block& at) {
        int32_t spikes[BLOCK];
        const int64_t here = b * size + at.first;
        for (int64_t r = 0, t = 0; r < readings_count; ++r) {
            std::fill_n(spikes, at.count, 0);
            for (; t < readings[r]; ++t) {
                step(z + t * z_stride + here, out + t * frame + here, v + here, at, hard, spikes);
            }
            int64_t* total = counts + r * size + at.first;
            for (int64_t i = 0; i < at.count; ++i) total[i] += spikes[i];
        }
    });
}

void count_spikes(const float* z, int64_t z_stride, float* out, const Neurons& neurons, bool hard,
                  int64_t steps, int64_t batch, int threads) {
    for_images(neurons, batch, threads, [&](int64_t b, const Block& at) {
        float v[BLOCK];
        int32_t spikes[BLOCK] = {};
        std::copy_n(at.v0, at.count, v);
        const int64_t here = b * neurons.count + at.first;
        for (int64_t t = 0; t < steps; ++t) {
            step(z + t * z_stride + here, nullptr, v, at, hard, spikes);
        }
        std::copy_n(spikes, at.count, out + here);
    });
}

void radix_encode(const float* z, float* out, const Neurons& neurons, float gain, int base,
                  int digits, int64_t batch, int64_t* counts, int threads) {
    const int64_t size = neurons.count;
    for_blocks(neurons, threads, [&](const Block& at) {
        int32_t spikes[BLOCK];
        for (int64_t b = 0; b < batch; ++b) {
            const int64_t here = b * size + at.first;
            if (counts) std::fill_n(spikes, at.count, 0);
            radix(z + here, out + here, at, gain, base, digits, counts ? spikes : nullptr);
            for (int64_t i = 0; counts && i < at.count; ++i) counts[at.first + i] += spikes[i];
        }
    });
}

}  // namespace isospike
