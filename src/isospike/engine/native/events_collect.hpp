// Collect: all steps of one pixel and one block of channels, the sums in registers. Part of events_kernel.hpp.
#pragma once

#include <cstdlib>

#include "events.hpp"
#include "events_neuron.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

// Where the weights stand for every spike that reaches one neuron at one step.
struct Reached {
    uint32_t* places;  // in bytes from the start of the table
    int64_t count;
};

// Columns of one row of a source that reach a pixel: neighbours in the list of every frame.
struct Strip {
    const int32_t *from, *to;  // offsets of the first frame
    const uint16_t* entries;
    int64_t offsets_step;  // to the next frame
    uint32_t base;  // of the places
};

INLINE void reach(Reached& reached, const uint16_t* from, int32_t n, uint32_t base, int shift) {
    uint32_t* to = reached.places + reached.count;
    for (int32_t i = 0; i < n; i += LANES) {
        const Words entry = words(from + i);
        const Words place = (entry << shift) + int32_t(base);
        __builtin_memcpy(to + i, &place, sizeof place);
    }
    reached.count += n;
}

// The strips of `source` that reach output pixel (y, x); returns how many.
INLINE int32_t strips(Strip* found, const Mixed& source, int32_t y, int32_t x, int shift) {
    const Lists& lists = source.lists;
    const Window& w = source.window;
    const int32_t top = y * w.stride_y - w.pad_y, left = x * w.stride_x - w.pad_x;
    // Neighbouring columns are neighbours in the list, unless the window has holes.
    const int32_t pieces = w.step_x == 1 ? 1 : w.width, wide = w.step_x == 1 ? w.width : 1;
    int32_t n = 0;
    for (int32_t ky = 0; ky < w.height; ++ky) {
        const int32_t row = top + ky * w.step_y;
        if (row < 0 || row >= lists.height) continue;
        const int32_t* offsets = lists.offsets + int64_t(row) * (lists.width + 1);
        for (int32_t piece = 0; piece < pieces; ++piece) {
            const int32_t first = left + piece * w.step_x;
            const int32_t from = largest(first, 0), to = least(first + wide, lists.width);
            if (from >= to) continue;
            const int64_t tap = int64_t(ky) * w.width + piece - first;
            const int64_t base = source.first_row + tap * lists.channels;
            found[n++] = {offsets + from, offsets + to, lists.entries,
                          int64_t(lists.height) * (lists.width + 1), uint32_t(base) << shift};
        }
    }
    return n;
}

INLINE void reach(Reached& reached, const Strip& strip, int64_t frame, int shift) {
    const int32_t from = strip.from[frame * strip.offsets_step];
    const int32_t to = strip.to[frame * strip.offsets_step];
    reach(reached, strip.entries + from, to - from, strip.base, shift);
}

// sum[k] += the weights of all that was reached at step k, over the channels of one block. Steps go
// together, so that the loop ends once for all of them: a wrong guess of where costs as much as
// many additions. Shorter lists are filled up with the row of zeros.
template <int N, int STEPS>
INLINE void add(Floats (*sum)[N], const float* table, const Reached* reached, uint32_t nothing) {
    int64_t most = 0;
    for (int k = 0; k < STEPS; ++k) most = reached[k].count > most ? reached[k].count : most;
    const Words zeros = Words{} + int32_t(nothing);
    for (int k = 0; k < STEPS; ++k)
        for (int64_t i = reached[k].count; i < most; i += LANES)
            __builtin_memcpy(reached[k].places + i, &zeros, sizeof zeros);
    for (int64_t i = 0; i < most; ++i) {
#pragma GCC unroll 4
        for (int k = 0; k < STEPS; ++k) {
            const char* row = reinterpret_cast<const char*>(table) + reached[k].places[i];
#pragma GCC unroll 4
            for (int j = 0; j < N; ++j) sum[k][j] += load<Floats>(row + j * sizeof(Floats));
        }
    }
}

// Steps that go together.
template <int N>
constexpr int together() {
    return N >= 4 ? 2 : 4;
}

template <int N, class Rule, bool direct>
INLINE void collect_pixel(const Layer& layer, const float* table, const Place& p, int shift,
                          Strip* strip, Reached* reached) {
    constexpr int STEPS = together<N>();
    const uint32_t nothing = uint32_t(layer.rows << shift);
    Floats drive[N];
    Membranes<N> at;
    load_membranes<N, Rule>(layer, p, at);
    settle<N>(layer, p, drive);
    int32_t n = 0;
    for (int32_t s = 0; s < layer.mixed_count; ++s)
        if (p.first >= layer.mixed[s].from && p.first < layer.mixed[s].to)
            n += strips(strip + n, layer.mixed[s], p.y, p.x, shift);
    for (int64_t t = 0; t < layer.steps; t += STEPS) {
        const int here = layer.steps - t < STEPS ? int(layer.steps - t) : STEPS;
        Floats sum[STEPS][N];
        for (int k = 0; k < STEPS; ++k) {
            reached[k].count = 0;
            for (int j = 0; j < N; ++j) sum[k][j] = drive[j];
        }
        if (n) {
            for (int k = 0; k < here; ++k)
                for (int32_t s = 0; s < n; ++s)
                    reach(reached[k], strip[s], (t + k) * layer.batch + p.b, shift);
            add<N, STEPS>(sum, table, reached, nothing);
        }
#pragma GCC unroll 4
        for (int k = 0; k < STEPS; ++k)
            if (k < here) {
                if (direct) {
                    integrate_simply<N>(layer, p, t + k, sum[k], at);
                } else {
                    integrate<N, Rule>(layer, p, t + k, sum[k], at);
                }
            }
    }
    store_membranes<N, Rule>(layer, p, at);
}

template <int N, class Rule, bool direct>
bool collect(const Layer& shared, int threads) {
    int shift = 0;  // from rows to bytes
    while ((uint64_t(1) << shift) < shared.block * sizeof(float)) ++shift;
    const int64_t lines = shared.batch * shared.height;
    int64_t most = 1;
    for (int32_t s = 0; s < shared.mixed_count; ++s) {
        const Window& w = shared.mixed[s].window;
        most += int64_t(w.height) * w.width;
    }
    bool sound = true;
#pragma omp parallel num_threads(threads) reduction(&& : sound)
    {
        const Layer layer = shared;  // in registers: a store of bytes may not change it
        auto* strip = static_cast<Strip*>(std::malloc(most * sizeof(Strip)));
        const int64_t length = layer.longest + PADDING;
        auto* places = static_cast<uint32_t*>(std::malloc(4 * length * sizeof(uint32_t)));
        Reached reached[4];
        for (int k = 0; k < 4; ++k) reached[k] = {places + k * length, 0};
        for (int32_t first = 0; first < layer.channels; first += layer.block) {
            const float* table = layer.table + int64_t(first) * (layer.rows + 1);
#pragma omp for schedule(static) nowait
            for (int64_t line = 0; line < lines; ++line) {
                const int64_t b = line / layer.height;
                const int32_t y = int32_t(line % layer.height);
                if (first == 0) begin_row(layer, line);  // every block has the same lines
                for (int32_t x = 0; x < layer.width; ++x) {
                    const Place p = place(layer, b, y, x, first);
                    collect_pixel<N, Rule, direct>(layer, table, p, shift, strip, reached);
                }
                if (first + layer.block >= layer.channels) sound = sound && finite_row(layer, line);
            }
        }
        std::free(places);
        std::free(strip);
    }
    return sound;
}

}  // namespace
}  // namespace isospike::events
