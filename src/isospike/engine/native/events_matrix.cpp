// A layer on the matrix unit (AMX): the sums of 16 pixels, 16 channels and two steps at a time.
#include <immintrin.h>

#include <cstdlib>
#include <cstring>

#include "events.hpp"
#include "events_gather.hpp"
#include "events_neuron.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

constexpr int PIXELS = 16;      // of a tile
constexpr int CHUNK = 64;       // inputs of a tile, bytes of its rows
constexpr int DIGITS = 3;       // of a weight
constexpr int64_t TILE = 1024;  // bytes
constexpr int64_t SUMS = PIXELS * LANES;
constexpr int64_t TOGETHER = 8;  // steps whose inputs are gathered before the weights pass by

struct alignas(64) Shapes {
    uint8_t palette = 1, start = 0, unused[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// sums [2 steps, digit, pixel, channel]; the inputs of a pixel stand `stride` bytes apart.
INLINE void multiply(const int8_t* first, const int8_t* second, int64_t stride,
                     const int8_t* digits, int64_t chunks, int32_t* sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (int64_t k = 0; k < chunks; ++k, digits += DIGITS * TILE) {
        _tile_loadd(6, first + k * CHUNK, stride);
        _tile_loadd(7, digits, CHUNK);
        _tile_dpbssd(0, 6, 7);
        _tile_loadd(7, digits + TILE, CHUNK);
        _tile_dpbssd(1, 6, 7);
        _tile_loadd(7, digits + 2 * TILE, CHUNK);
        _tile_dpbssd(2, 6, 7);
        _tile_loadd(6, second + k * CHUNK, stride);
        _tile_dpbssd(5, 6, 7);
        _tile_loadd(7, digits + TILE, CHUNK);
        _tile_dpbssd(4, 6, 7);
        _tile_loadd(7, digits, CHUNK);
        _tile_dpbssd(3, 6, 7);
    }
    _tile_stored(0, sums, CHUNK);
    _tile_stored(1, sums + SUMS, CHUNK);
    _tile_stored(2, sums + 2 * SUMS, CHUNK);
    _tile_stored(3, sums + 3 * SUMS, CHUNK);
    _tile_stored(4, sums + 4 * SUMS, CHUNK);
    _tile_stored(5, sums + 5 * SUMS, CHUNK);
}

// The drive of one pixel from its three sums.
INLINE Floats drive(const int32_t* sums, Floats units) {
    const auto sum = [&](int64_t digit) {
        return __builtin_convertvector(load<Words>(sums + digit * SUMS), Floats);
    };
    return (sum(0) * 65536.0f + sum(1) * 256.0f + sum(2)) * units;
}

// Integrate and fire: n pixels, one step, the channels from `first` on.
template <class Rule>
INLINE void fire_pixels(const Layer& layer, const Place* places, int n, int32_t first, int64_t t,
                        const int32_t* sums, Floats units) {
    for (int i = 0; i < n; ++i) {
        Place p = places[i];
        p.first = first;
        p.left_over -= first;
        p.here += first;
        Membranes<1> at;
        Floats sum;
        load_membranes<1, Rule>(layer, p, at);
        settle<1>(layer, p, &sum);
        sum += drive(sums + i * LANES, units);
        integrate<1, Rule>(layer, p, t, &sum, at);
        store_membranes<1, Rule>(layer, p, at);
    }
}

// The same at both steps for a layer that is `simple`: n neighbours from `first_pixel` on.
INLINE void fire_simple_pixels(const Layer& layer, int64_t first_pixel, int n, int32_t first,
                               int64_t t, int steps, const int32_t* sums, Floats units) {
    const int64_t frame = layer.batch * layer.height * layer.width * layer.channels;
    const bool beside = layer.channelwise_count;
    const Floats bias = load<Floats>(layer.bias + first);
    const Floats weights = beside ? load<Floats>(layer.channelwise[0].weights + first) : Floats{};
    const int8_t* const shortcut = beside ? layer.channelwise[0].trains : nullptr;
    for (int i = 0; i < n; ++i) {
        const int64_t at = (first_pixel + i) * layer.channels + first;
        Floats v = load<Floats>(layer.v + at), still = bias, unused;
        if (layer.steady) still += load<Floats>(layer.steady + at);
        for (int k = 0; k < steps; ++k) {
            const int64_t here = (t + k) * frame + at;
            Floats sum = still + drive(sums + k * DIGITS * SUMS + i * LANES, units);
            if (beside) sum += floats(shortcut + here) * weights;
            const Bytes sent = bytes(Plain::fire(layer.neuron, sum, v, unused));
            __builtin_memcpy(layer.out + here, &sent, sizeof sent);
        }
        __builtin_memcpy(layer.v + at, &v, sizeof v);
    }
}

// The steps start .. start + steps - 1 of n pixels: their inputs first, then block by block.
template <class Rule, bool direct>
INLINE void fire_group(const Layer& layer, const Matrix& matrix, int64_t first_pixel,
                       const Place* places, int n, int64_t start, int64_t steps, int8_t* inputs,
                       int64_t stride) {
    alignas(64) int32_t sums[2 * DIGITS * SUMS];
    for (int64_t t = 0; t < steps; ++t)
        for (int i = 0; i < n; ++i) {
            int8_t* to = inputs + (t * PIXELS + i) * stride;
            for (int32_t s = 0; s < matrix.patch_count; ++s)
                to = gather(to, matrix.patches[s], (start + t) * layer.batch + places[i].b,
                            places[i].y, places[i].x);
        }
    for (int32_t first = 0; first < layer.channels; first += LANES) {
        const int8_t* digits = matrix.digits + first / LANES * matrix.chunks * DIGITS * TILE;
        const Floats units = load<Floats>(matrix.units + first);
        for (int64_t t = 0; t < steps; t += 2) {
            const int8_t* at = inputs + t * PIXELS * stride;
            multiply(at, at + PIXELS * stride, stride, digits, matrix.chunks, sums);
            const int here = steps - t < 2 ? 1 : 2;
            if (direct) {
                fire_simple_pixels(layer, first_pixel, n, first, start + t, here, sums, units);
            } else {
                for (int k = 0; k < here; ++k)
                    fire_pixels<Rule>(layer, places, n, first, start + t + k,
                                      sums + k * DIGITS * SUMS, units);
            }
        }
    }
}

template <class Rule, bool direct>
bool fire_all(const Layer& shared, const Matrix& matrix, int threads) {
    const int64_t pixels = shared.batch * shared.height * shared.width;
    const int64_t steps = shared.steps < TOGETHER ? (shared.steps + 1) / 2 * 2 : TOGETHER;
    // Rows that lie a power of two apart would push each other out of the cache.
    const int64_t stride = (matrix.chunks | 1) * CHUNK;
    const int64_t room = steps * PIXELS * stride;
    bool sound = true;
#pragma omp parallel num_threads(threads) reduction(&& : sound)
    {
        const Layer layer = shared;
        const Shapes shapes;
        _tile_loadconfig(&shapes);
        auto* inputs = static_cast<int8_t*>(std::aligned_alloc(64, room));
        std::memset(inputs, 0, room);
#pragma omp for schedule(static) nowait
        for (int64_t start = 0; start < pixels; start += PIXELS) {
            Place places[PIXELS];
            const int n = int(pixels - start < PIXELS ? pixels - start : PIXELS);
            for (int i = 0; i < n; ++i) {
                const int64_t line = (start + i) / layer.width;
                places[i] = place(layer, line / layer.height, int32_t(line % layer.height),
                                  int32_t((start + i) % layer.width), 0);
            }
            const int64_t neurons = start * layer.channels, size = n * int64_t(layer.channels);
            begin(layer, neurons, size);
            for (int64_t t = 0; t < layer.steps; t += steps)
                fire_group<Rule, direct>(layer, matrix, start, places, n, t,
                                         layer.steps - t < steps ? layer.steps - t : steps, inputs,
                                         stride);
            sound = sound && finite(layer.v + neurons, size);
        }
        std::free(inputs);
        _tile_release();
    }
    return sound;
}

}  // namespace

bool fire_on_matrix(const Layer& layer, const Matrix& matrix, int threads) {
    if (simple(layer)) return fire_all<Plain, true>(layer, matrix, threads);
    switch (layer.neuron.kind) {
        case Kind::plain: return fire_all<Plain, false>(layer, matrix, threads);
        case Kind::graded: return fire_all<Graded, false>(layer, matrix, threads);
        default: return fire_all<Paired, false>(layer, matrix, threads);
    }
}

}  // namespace isospike::events
