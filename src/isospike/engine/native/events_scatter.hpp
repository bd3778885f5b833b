// Scatter: step after step, the sums of a few rows in the first cache. Part of events_kernel.hpp.
#pragma once

#include <cstdlib>
#include <cstring>

#include "events.hpp"
#include "events_neuron.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

// Sums of the output rows that are being worked on: `rows` of them, `length` floats each, with
// `margin` columns on the left, where spikes of the border write what nobody reads; one row more
// takes what belongs to no row.
struct Ring {
    float* sums;
    int64_t rows, length, margin;
};

template <int N>
INLINE void add_to(float* sums, const float* weights) {
    for (int j = 0; j < N; ++j) {
        const Floats sum = load<Floats>(sums + j * LANES) + load<Floats>(weights + j * LANES);
        __builtin_memcpy(sums + j * LANES, &sum, sizeof sum);
    }
}

// Three rows of three pixels for one spike; `to` is the rightmost pixel in each row.
template <int N>
INLINE void add_three(float* const* to, int64_t offset, const float* weights) {
    constexpr int BLOCK = N * LANES;
#pragma GCC unroll 3
    for (int ky = 0; ky < 3; ++ky) {
        Floats sums[3][N];
        float* left = to[ky] + offset - 2 * BLOCK;
        const float* from = weights + ky * 3 * BLOCK;
#pragma GCC unroll 3
        for (int kx = 0; kx < 3; ++kx)
            for (int j = 0; j < N; ++j)
                sums[kx][j] = load<Floats>(left + (2 - kx) * BLOCK + j * LANES) +
                              load<Floats>(from + kx * BLOCK + j * LANES);
#pragma GCC unroll 3
        for (int kx = 0; kx < 3; ++kx)
            __builtin_memcpy(left + (2 - kx) * BLOCK, sums[kx], sizeof sums[kx]);
    }
}

// All spikes of input row `iy` of one frame into the sums of the output rows first .. last - 1.
template <int N>
INLINE void scatter_row(const Layer& layer, const Mixed& source, int64_t frame, int32_t iy,
                        int32_t first, int32_t last, const Ring& ring) {
    constexpr int BLOCK = N * LANES;
    const Lists& lists = source.lists;
    const Window& w = source.window;
    const int64_t line = frame * lists.height + iy;
    const int32_t* offsets = lists.offsets + line * (lists.width + 1);
    const uint16_t* entries = lists.entries + offsets[0];
    const int32_t n = offsets[lists.width] - offsets[0];
    const float* table = layer.table + source.first_row * BLOCK;
    const uint32_t channels = uint32_t(lists.channels);
    const uint64_t inverse = (uint64_t(1) << 32) / channels + 1;  // exact below 2^16
    float* const nowhere = ring.sums + ring.rows * ring.length;
    if (w.height == 3 && w.width == 3 && w.stride_y == 1 && w.stride_x == 1) {
        float* to[3];
        for (int32_t ky = 0; ky < 3; ++ky) {
            const int32_t oy = iy + w.pad_y - ky;
            const bool wanted = oy >= first && oy < last;
            to[ky] = wanted ? ring.sums + (oy % ring.rows) * ring.length : nowhere;
            to[ky] += (ring.margin + w.pad_x) * BLOCK;
        }
        for (int32_t i = 0; i < n; ++i) {
            const uint32_t entry = entries[i], x = uint32_t(entry * inverse >> 32);
            add_three<N>(to, int64_t(x) * BLOCK, table + (entry - x * channels) * 9 * BLOCK);
        }
        return;
    }
    for (int32_t ky = 0; ky < w.height; ++ky) {
        const int32_t place = iy + w.pad_y - ky;
        if (place < 0 || place % w.stride_y) continue;
        const int32_t oy = place / w.stride_y;
        if (oy < first || oy >= last) continue;
        float* row = ring.sums + (oy % ring.rows) * ring.length + ring.margin * BLOCK;
        for (int32_t i = 0; i < n; ++i) {
            const uint32_t entry = entries[i], x = uint32_t(entry * inverse >> 32);
            const float* weights = table + ((entry - x * channels) * w.height + ky) * w.width * BLOCK;
            const int32_t reach = int32_t(x) + w.pad_x;
            const int32_t kx = reach % w.stride_x;
            float* to = row + int64_t(reach / w.stride_x) * BLOCK;
            for (int32_t k = kx; k < w.width; k += w.stride_x, to -= BLOCK)
                add_to<N>(to, weights + k * BLOCK);
        }
    }
}

// Integrate and fire one row of pixels at step t; their sums are zero then.
template <int N, class Rule>
INLINE void fire_row(const Layer& layer, float* sums, int64_t b, int64_t t, int32_t y) {
    for (int32_t x = 0; x < layer.width; ++x) {
        const Place p = place(layer, b, y, x, 0);
        Floats sum[N];
        Membranes<N> at;
        load_membranes<N, Rule>(layer, p, at);
        settle<N>(layer, p, sum);
        for (int j = 0; j < N; ++j) sum[j] += load<Floats>(sums + (x * N + j) * LANES);
        integrate<N, Rule>(layer, p, t, sum, at);
        store_membranes<N, Rule>(layer, p, at);
    }
    std::memset(sums, 0, layer.width * N * sizeof(Floats));
}

// The same for a layer that is `simple`.
template <int N, bool hard>
INLINE void fire_simple_row(const Layer& layer, float* sums, int64_t b, int64_t t, int32_t y) {
    const int64_t size = int64_t(layer.width) * N * LANES;
    const int64_t row = (b * layer.height + y) * size, frame = layer.batch * layer.height * size;
    float* const membranes = layer.v + row;
    int8_t* const out = layer.out + t * frame + row;
    const float* const steady = layer.steady ? layer.steady + row : nullptr;
    const bool beside = layer.channelwise_count;
    const int8_t* const shortcut = beside ? layer.channelwise[0].trains + t * frame + row : nullptr;
    Neuron neuron = layer.neuron;
    neuron.hard = hard;  // not asked again for each
    const Floats none{};
    Floats bias[N], weights[N];
    for (int j = 0; j < N; ++j) {
        bias[j] = load<Floats>(layer.bias + j * LANES);
        weights[j] = beside ? load<Floats>(layer.channelwise[0].weights + j * LANES) : Floats{};
    }
    for (int64_t i = 0; i < size; i += N * LANES) {
        for (int j = 0; j < N; ++j) {
            const int64_t at = i + j * LANES;
            Floats sum = bias[j];
            if (steady) sum += load<Floats>(steady + at);
            sum += load<Floats>(sums + at);
            __builtin_memcpy(sums + at, &none, sizeof none);
            if (beside) sum += floats(shortcut + at) * weights[j];
            Floats v = load<Floats>(membranes + at), unused;
            const Bytes sent = bytes(Plain::fire(neuron, sum, v, unused));
            __builtin_memcpy(membranes + at, &v, sizeof v);
            __builtin_memcpy(out + at, &sent, sizeof sent);
        }
    }
}

// Rows first .. last - 1 of image b, all steps.
template <int N, class Rule, bool direct>
INLINE void scatter_band(const Layer& layer, int64_t b, int32_t first, int32_t last,
                         const Ring& ring, int32_t* next) {
    constexpr int BLOCK = N * LANES;
    std::memset(ring.sums, 0, ring.rows * ring.length * sizeof(float));
    for (int64_t t = 0; t < layer.steps; ++t) {
        for (int32_t s = 0; s < layer.mixed_count; ++s) {
            const Window& w = layer.mixed[s].window;
            next[s] = largest(first * w.stride_y - w.pad_y, 0);
        }
        for (int32_t y = first; y < last; ++y) {
            for (int32_t s = 0; s < layer.mixed_count; ++s) {
                const Mixed& source = layer.mixed[s];
                const Window& w = source.window;
                const int32_t end = least(y * w.stride_y - w.pad_y + w.height, source.lists.height);
                for (; next[s] < end; ++next[s])
                    scatter_row<N>(layer, source, t * layer.batch + b, next[s], y, last, ring);
            }
            float* pixels = ring.sums + (y % ring.rows) * ring.length + ring.margin * BLOCK;
            if (direct && layer.neuron.hard) {
                fire_simple_row<N, true>(layer, pixels, b, t, y);
            } else if (direct) {
                fire_simple_row<N, false>(layer, pixels, b, t, y);
            } else {
                fire_row<N, Rule>(layer, pixels, b, t, y);
            }
        }
    }
}

template <int N, class Rule, bool direct>
bool scatter(const Layer& shared, int threads) {
    constexpr int BLOCK = N * LANES;
    Ring shape{nullptr, 1, shared.width, 0};
    for (int32_t s = 0; s < shared.mixed_count; ++s) {
        const Mixed& source = shared.mixed[s];
        const Window& w = source.window;
        const int64_t right = (source.lists.width - 1 + w.pad_x) / w.stride_x + 1;
        shape.rows = shape.rows > 1 + (w.height - 1) / w.stride_y
                         ? shape.rows : 1 + (w.height - 1) / w.stride_y;
        shape.margin = shape.margin > w.width - 1 ? shape.margin : w.width - 1;
        shape.length = shape.length > right ? shape.length : right;
    }
    shape.length = (shape.length + shape.margin) * BLOCK;
    const int64_t room = (shape.rows + 1) * shape.length * int64_t(sizeof(float));
    int64_t bands = (threads + shared.batch - 1) / shared.batch;
    bands = bands < shared.height ? bands : shared.height;
    bool sound = true;
#pragma omp parallel num_threads(threads) reduction(&& : sound)
    {
        const Layer layer = shared;
        Ring ring = shape;
        ring.sums = static_cast<float*>(std::aligned_alloc(64, (room + 63) / 64 * 64));
        auto* next = static_cast<int32_t*>(std::malloc((layer.mixed_count + 1) * sizeof(int32_t)));
#pragma omp for schedule(static) nowait
        for (int64_t item = 0; item < layer.batch * bands; ++item) {
            const int64_t band = item % bands, b = item / bands;
            const auto first = int32_t(layer.height * band / bands),
                       last = int32_t(layer.height * (band + 1) / bands);
            for (int32_t y = first; y < last; ++y) begin_row(layer, b * layer.height + y);
            scatter_band<N, Rule, direct>(layer, b, first, last, ring, next);
            for (int32_t y = first; y < last; ++y)
                sound = sound && finite_row(layer, b * layer.height + y);
        }
        std::free(next);
        std::free(ring.sums);
    }
    return sound;
}

}  // namespace
}  // namespace isospike::events
