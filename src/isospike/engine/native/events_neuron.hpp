// Integrate and fire. Part of events_kernel.hpp.
#pragma once

#include <cstring>

#include "events.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

template <int N>
INLINE void add(Floats* sum, const Channelwise& source, int64_t frame, int32_t y, int32_t x,
                int32_t channels, int64_t padded, int32_t first, int32_t left_over) {
    const Window& w = source.window;
    for (int32_t ky = 0; ky < w.height; ++ky) {
        const int32_t row = y * w.stride_y - w.pad_y + ky * w.step_y;
        if (row < 0 || row >= source.height) continue;
        for (int32_t kx = 0; kx < w.width; ++kx) {
            const int32_t column = x * w.stride_x - w.pad_x + kx * w.step_x;
            if (column < 0 || column >= source.width) continue;
            const int64_t at = ((frame * source.height + row) * source.width + column) * channels;
            const float* weights = source.weights + (ky * w.width + kx) * padded + first;
            for (int j = 0; j < N; ++j) {
                const int8_t* trains = source.trains + at + first + j * LANES;
                sum[j] += floats(trains, left_over - j * LANES) * load<Floats>(weights + j * LANES);
            }
        }
    }
}

// Where the neurons of one pixel and one block of channels stand in the arrays of a layer.
struct Place {
    int64_t b;
    int32_t y, x, first, left_over;  // first channel; channels from there
    int64_t here, frame_size;
};

INLINE Place place(const Layer& layer, int64_t b, int32_t y, int32_t x, int32_t first) {
    const int64_t pixels = int64_t(layer.height) * layer.width;
    return {b, y, x, first, layer.channels - first,
            ((b * layer.height + y) * layer.width + x) * layer.channels + first,
            layer.batch * pixels * layer.channels};
}

INLINE bool plain(const Window& w) {
    return w.height == 1 && w.width == 1 && w.stride_y == 1 && w.stride_x == 1 && w.pad_y == 0 &&
           w.pad_x == 0;
}

// Plain neurons, whole vectors, and nothing but spikes, biases and what stands still: most layers.
INLINE bool simple(const Layer& layer) {
    bool all = layer.neuron.kind == Kind::plain && layer.channels == layer.padded &&
               !layer.frames && !layer.drift && layer.channelwise_count <= 1;
    for (int32_t s = 0; s < layer.channelwise_count; ++s)
        all = all && plain(layer.channelwise[s].window);
    return all;
}

// The membranes of one pixel and block, and S of paired neurons.
template <int N>
struct Membranes {
    Floats v[N], sent[N];
};

// One step with drive `sum`: the spikes.
struct Plain {
    static constexpr bool paired = false;
    static INLINE Words fire(const Neuron& neuron, Floats sum, Floats& v, Floats&) {
        v += sum;
        const Words spike = v >= 1.0f;
        v = neuron.hard ? (spike ? Floats{} : v) : (spike ? v - 1.0f : v);
        return spike ? Words{} + 1 : Words{};
    }
};

// x in [0, cap]; no number is 0.
INLINE Floats clipped(Floats x, float cap) {
    const Floats low = x > 0.0f ? x : Floats{}, top = Floats{} + cap;
    return low < cap ? low : top;
}

INLINE Floats down(Floats x) {  // floor of x >= 0
    return __builtin_convertvector(__builtin_convertvector(x, Words), Floats);
}

struct Graded {
    static constexpr bool paired = false;
    static INLINE Words fire(const Neuron& neuron, Floats sum, Floats& v, Floats&) {
        v = v * neuron.leak + sum;
        const Words spikes = __builtin_convertvector(clipped(v, neuron.cap), Words);
        const Floats left = v - __builtin_convertvector(spikes, Floats);
        v = neuron.hard ? (spikes > 0 ? Floats{} : v) : left;
        return spikes;
    }
};

struct Paired {
    static constexpr bool paired = true;
    static INLINE Words fire(const Neuron& neuron, Floats sum, Floats& v, Floats& sent) {
        v += sum;
        const Floats above = down(clipped(v, neuron.cap)), room = neuron.most - sent;
        const Floats up = above < room ? above : room;
        const Floats deep = clipped(-neuron.low - v, neuron.cap), whole = down(deep);
        const Floats below = whole < deep ? whole + 1.0f : whole, taken = sent - neuron.least;
        const Floats spikes = up - (below < taken ? below : taken), none = Floats{};
        v -= neuron.back == 1.0f ? spikes : (spikes < 0.0f ? none - neuron.back : spikes);
        sent += spikes;
        return __builtin_convertvector(spikes, Words);
    }
};

// What a neuron gets at every step.
template <int N>
INLINE void settle(const Layer& layer, const Place& p, Floats* drive) {
    for (int j = 0; j < N; ++j) {
        drive[j] = load<Floats>(layer.bias + p.first + j * LANES);
        if (layer.steady)
            drive[j] += load<Floats>(layer.steady + p.here + j * LANES, p.left_over - j * LANES);
    }
}

// Integrate the sum of step t and what comes channel by channel, fire, write the spikes.
template <int N, class Rule>
INLINE void integrate(const Layer& layer, const Place& p, int64_t t, Floats* sum,
                      Membranes<N>& at) {
    const int64_t frame = t * layer.batch + p.b;
    for (int32_t s = 0; s < layer.channelwise_count; ++s) {
        const Channelwise& source = layer.channelwise[s];
        if (plain(source.window)) {
            const int8_t* trains = source.trains + t * p.frame_size + p.here;
            for (int j = 0; j < N; ++j)
                sum[j] += floats(trains + j * LANES, p.left_over - j * LANES) *
                          load<Floats>(source.weights + p.first + j * LANES);
        } else {
            add<N>(sum, source, frame, p.y, p.x, layer.channels, layer.padded, p.first, p.left_over);
        }
    }
    if (layer.frames) {
        for (int j = 0; j < N; ++j) {
            const float* from = layer.frames + t * p.frame_size + p.here + j * LANES;
            sum[j] += load<Floats>(from, p.left_over - j * LANES) /
                      load<Floats>(layer.theta + p.first + j * LANES);
        }
    }
    if (layer.drift)
        for (int j = 0; j < N; ++j)
            sum[j] += load<Floats>(layer.drift + t * layer.padded + p.first + j * LANES);
    int8_t* out = layer.out + t * p.frame_size + p.here;
    for (int j = 0; j < N; ++j) {
        const Words spikes = Rule::fire(layer.neuron, sum[j], at.v[j], at.sent[j]);
        store(out + j * LANES, bytes(spikes), p.left_over - j * LANES);
    }
}

// The same for a layer that is `simple`, without a question asked.
template <int N>
INLINE void integrate_simply(const Layer& layer, const Place& p, int64_t t, Floats* sum,
                             Membranes<N>& at) {
    const int64_t here = t * p.frame_size + p.here;
    if (layer.channelwise_count) {
        const Channelwise& source = layer.channelwise[0];
        for (int j = 0; j < N; ++j)
            sum[j] += floats(source.trains + here + j * LANES) *
                      load<Floats>(source.weights + p.first + j * LANES);
    }
    for (int j = 0; j < N; ++j) {
        const Words spikes = Plain::fire(layer.neuron, sum[j], at.v[j], at.sent[j]);
        const Bytes sent = bytes(spikes);
        __builtin_memcpy(layer.out + here + j * LANES, &sent, sizeof sent);
    }
}

template <int N, class Rule>
INLINE void load_membranes(const Layer& layer, const Place& p, Membranes<N>& at) {
    for (int j = 0; j < N; ++j) {
        const int64_t here = p.here + j * LANES;
        at.v[j] = load<Floats>(layer.v + here, p.left_over - j * LANES);
        if (Rule::paired) at.sent[j] = load<Floats>(layer.sent + here, p.left_over - j * LANES);
    }
}

// Before the first step: `n` neurons of [B, H, W, C] from `first` on.
INLINE void begin(const Layer& layer, int64_t first, int64_t n) {
    if (!layer.v0) return;
    const int64_t size = layer.images * layer.height * layer.width * layer.channels;
    if (layer.sent) std::memset(layer.sent + first, 0, n * sizeof(float));
    while (n > 0) {  // maybe from the middle of one image to the middle of another
        const int64_t from = first % size, here = size - from < n ? size - from : n;
        std::memcpy(layer.v + first, layer.v0 + from, here * sizeof(float));
        first += here;
        n -= here;
    }
}

// Are n membranes from v on numbers below infinity? Minus infinity is one: a neuron that is silent.
INLINE bool finite(const float* v, int64_t n) {
    const Floats top = Floats{} + __builtin_inff();
    Words good = Words{} - 1;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) good &= load<Floats>(v + i) < top;
    bool all = true;
    for (; i < n; ++i) all = all && v[i] < __builtin_inff();
    for (int j = 0; j < LANES; ++j) all = all && good[j];
    return all;
}

// The same for output row `line`, of all images.
INLINE bool finite_row(const Layer& layer, int64_t line) {
    const int64_t size = int64_t(layer.width) * layer.channels;
    return finite(layer.v + line * size, size);
}

INLINE void begin_row(const Layer& layer, int64_t line) {
    const int64_t size = int64_t(layer.width) * layer.channels;
    begin(layer, line * size, size);
}

template <int N, class Rule>
INLINE void store_membranes(const Layer& layer, const Place& p, const Membranes<N>& at) {
    for (int j = 0; j < N; ++j) {
        const int64_t here = p.here + j * LANES;
        store(layer.v + here, at.v[j], p.left_over - j * LANES);
        if (Rule::paired) store(layer.sent + here, at.sent[j], p.left_over - j * LANES);
    }
}

}  // namespace
}  // namespace isospike::events
