// The kernels of events.hpp, compiled once for each vector width: a file that includes this one
// defines LEVEL. Nothing inline from elsewhere may be used here: the linker keeps one copy of an
// inline function, which may be the one for another processor.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "events.hpp"

namespace isospike::events {
namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

template <typename T, int size>
struct Vector {
    typedef T type __attribute__((vector_size(sizeof(T) * size)));
};
using Floats = Vector<float, LANES>::type;
using Words = Vector<int32_t, LANES>::type;
using Shorts = Vector<uint16_t, LANES>::type;
using Bytes = Vector<int8_t, LANES>::type;

#define INLINE inline __attribute__((always_inline))

template <typename V>
INLINE V load(const void* from) {
    V value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

// The first `count` elements; the rest are zero.
template <typename V, typename T>
INLINE V load(const T* from, int count) {
    if (count >= LANES) return load<V>(from);
    V value = {};
    for (int i = 0; i < count; ++i) value[i] = from[i];
    return value;
}

template <typename V, typename T>
INLINE void store(T* to, V value, int count) {
    if (count >= LANES) {
        __builtin_memcpy(to, &value, sizeof value);
    } else {
        for (int i = 0; i < count; ++i) to[i] = value[i];
    }
}

// In two strides, each of one instruction: bytes to floats directly go one by one.
INLINE Floats floats(Bytes bytes) {
    return __builtin_convertvector(__builtin_convertvector(bytes, Words), Floats);
}

INLINE Words words(const uint16_t* from) {
#if defined(__AVX512F__)
    return Words(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#else
    return __builtin_convertvector(load<Shorts>(from), Words);
#endif
}

INLINE int32_t largest(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

// ---- trains to lists

#if defined(__AVX512F__)
// Positions first .. first + 15 of a row, of which `mask` says which spike.
INLINE int32_t append(__mmask16 mask, int32_t first, uint16_t* to) {
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_add_epi32(count, _mm512_set1_epi32(first));
    const __m512i found = _mm512_maskz_compress_epi32(mask, places);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(found));
    return __builtin_popcount(mask);
}

// Positions first .. first + n, n at most 16.
INLINE int32_t append(const int8_t* at, int32_t first, int32_t n, uint16_t* to) {
    const __m128i spikes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return append(_mm_mask_test_epi8_mask(__mmask16((1u << n) - 1), spikes, spikes), first, to);
}

INLINE int32_t append_16(const int8_t* at, int32_t first, uint16_t* to) {
    const __m128i spikes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return append(_mm_test_epi8_mask(spikes, spikes), first, to);
}
#else
INLINE int32_t append(const int8_t* at, int32_t first, int32_t n, uint16_t* to) {
    int32_t found = 0;
    for (int32_t i = 0; i < n; ++i) {
        to[found] = uint16_t(first + i);
        found += at[i] != 0;
    }
    return found;
}

// Eight at a time: most eights are silent.
INLINE int32_t append_16(const int8_t* at, int32_t first, uint16_t* to) {
    int32_t found = 0;
    for (int32_t half = 0; half < 16; half += 8) {
        const auto eight = load<uint64_t>(at + half);
        if (eight) found += append(at + half, first + half, 8, to + found);
    }
    return found;
}
#endif

void list(const int8_t* trains, int64_t rows, const Lists& lists, int threads) {
    const int32_t width = lists.width, channels = lists.channels, whole = channels / 16 * 16;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
        const int8_t* from = trains + row * width * channels;
        uint16_t* to = lists.entries + row * lists.capacity;
        int32_t* offsets = lists.offsets + row * (width + 1);
        int32_t found = 0, first = 0;
        for (int32_t x = 0; x < width; ++x) {
            offsets[x] = found;
            const int32_t next = first + channels;
            for (const int32_t end = first + whole; first < end; first += 16)
                found += append_16(from + first, first, to + found);
            if (first < next) found += append(from + first, first, next - first, to + found);
            first = next;
        }
        offsets[width] = found;
    }
}

void pool(const Lists& lists, int64_t frames, const Window& window, const Lists& pooled,
          int threads) {
    const int32_t channels = lists.channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t line = 0; line < frames * pooled.height; ++line) {
        const int64_t frame = line / pooled.height;
        const int32_t top = int32_t(line % pooled.height) * window.stride_y - window.pad_y;
        uint16_t* to = pooled.entries + line * pooled.capacity;
        int32_t* offsets = pooled.offsets + line * (pooled.width + 1);
        int32_t found = 0;
        for (int32_t x = 0; x < pooled.width; ++x) {
            offsets[x] = found;
            for (int32_t ky = 0; ky < window.height; ++ky) {
                const int32_t row = top + ky * window.step_y;
                if (row < 0 || row >= lists.height) continue;
                const int64_t source = frame * lists.height + row;
                const uint16_t* from = lists.entries + source * lists.capacity;
                const int32_t* at = lists.offsets + source * (lists.width + 1);
                for (int32_t kx = 0; kx < window.width; ++kx) {
                    const int32_t column = x * window.stride_x - window.pad_x + kx * window.step_x;
                    if (column < 0 || column >= lists.width) continue;
                    const uint16_t move = uint16_t((x - column) * channels);
                    const int32_t n = at[column + 1] - at[column];
                    for (int32_t i = 0; i < n; i += LANES) {
                        const Shorts entry = load<Shorts>(from + at[column] + i) + move;
                        __builtin_memcpy(to + found + i, &entry, sizeof entry);
                    }
                    found += n;
                }
            }
        }
        offsets[pooled.width] = found;
    }
}

void count(const int8_t* trains, int64_t frames, int64_t neurons, int64_t* counts, int threads) {
    constexpr int64_t BLOCK = 256;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < neurons; first += BLOCK) {
        const int64_t n = neurons - first < BLOCK ? neurons - first : BLOCK;
        int32_t sums[BLOCK] = {};
        for (int64_t frame = 0; frame < frames;) {
            int16_t few[BLOCK] = {};  // a byte is at most 128, so 255 of them fit
            const int64_t end = frame + 255 < frames ? frame + 255 : frames;
            for (; frame < end; ++frame) {
                const int8_t* at = trains + frame * neurons + first;
                for (int64_t i = 0; i < n; ++i) few[i] = int16_t(few[i] + at[i]);
            }
            for (int64_t i = 0; i < n; ++i) sums[i] += few[i];
        }
        for (int64_t i = 0; i < n; ++i) counts[first + i] += sums[i];
    }
}

// ---- lists to spikes

// Where the weights stand for every spike that reaches one neuron at one step.
struct Reached {
    uint32_t* places;  // in bytes from the start of the table
    int64_t count;
};

// Columns of one row of a source that reach a pixel: neighbours in the list of every frame.
struct Strip {
    const int32_t *from, *to;  // offsets of the first frame
    const uint16_t* entries;
    int64_t offsets_step, entries_step;  // to the next frame
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
            found[n++] = {offsets + from, offsets + to, lists.entries + row * lists.capacity,
                          int64_t(lists.height) * (lists.width + 1), lists.height * lists.capacity,
                          uint32_t(base) << shift};
        }
    }
    return n;
}

INLINE void reach(Reached& reached, const Strip& strip, int64_t frame, int shift) {
    const int32_t from = strip.from[frame * strip.offsets_step];
    const int32_t to = strip.to[frame * strip.offsets_step];
    reach(reached, strip.entries + frame * strip.entries_step + from, to - from, strip.base, shift);
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
                const auto spikes =
                    load<Bytes>(source.trains + at + first + j * LANES, left_over - j * LANES);
                sum[j] += floats(spikes) * load<Floats>(weights + j * LANES);
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

// Whole vectors, and nothing but spikes and biases: most layers. The same without a question asked.
INLINE bool simple(const Layer& layer) {
    bool all = layer.channels == layer.padded && !layer.steady && !layer.frames &&
               layer.channelwise_count <= 1;
    for (int32_t s = 0; s < layer.channelwise_count; ++s)
        all = all && plain(layer.channelwise[s].window);
    return all;
}

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
template <int N>
INLINE void integrate(const Layer& layer, const Place& p, int64_t t, Floats* sum, Floats* v) {
    const int64_t frame = t * layer.batch + p.b;
    for (int32_t s = 0; s < layer.channelwise_count; ++s) {
        const Channelwise& source = layer.channelwise[s];
        if (plain(source.window)) {
            const int8_t* at = source.trains + t * p.frame_size + p.here;
            for (int j = 0; j < N; ++j) {
                const auto spikes = load<Bytes>(at + j * LANES, p.left_over - j * LANES);
                sum[j] += floats(spikes) *
                          load<Floats>(source.weights + p.first + j * LANES);
            }
        } else {
            add<N>(sum, source, frame, p.y, p.x, layer.channels, layer.padded, p.first, p.left_over);
        }
    }
    if (layer.frames) {
        for (int j = 0; j < N; ++j) {
            const float* at = layer.frames + t * p.frame_size + p.here + j * LANES;
            sum[j] += load<Floats>(at, p.left_over - j * LANES) /
                      load<Floats>(layer.theta + p.first + j * LANES);
        }
    }
    int8_t* out = layer.out + t * p.frame_size + p.here;
    for (int j = 0; j < N; ++j) {
        v[j] += sum[j];
        const Words spike = v[j] >= 1.0f;
        const Floats one = __builtin_convertvector(-spike, Floats);
        v[j] = layer.hard ? (spike ? Floats{} : v[j]) : v[j] - one;
        store(out + j * LANES, __builtin_convertvector(-spike, Bytes), p.left_over - j * LANES);
    }
}

// The same for a layer that is `simple`, without a question asked.
template <int N>
INLINE void integrate_simply(const Layer& layer, const Place& p, int64_t t, Floats* sum, Floats* v) {
    const int64_t at = t * p.frame_size + p.here;
    if (layer.channelwise_count) {
        const Channelwise& source = layer.channelwise[0];
        for (int j = 0; j < N; ++j)
            sum[j] += floats(load<Bytes>(source.trains + at + j * LANES)) *
                      load<Floats>(source.weights + p.first + j * LANES);
    }
    for (int j = 0; j < N; ++j) {
        v[j] += sum[j];
        const Words spike = v[j] >= 1.0f;
        const Floats one = __builtin_convertvector(-spike, Floats);
        v[j] = layer.hard ? (spike ? Floats{} : v[j]) : v[j] - one;
        const Bytes sent = __builtin_convertvector(-spike, Bytes);
        __builtin_memcpy(layer.out + at + j * LANES, &sent, sizeof sent);
    }
}

template <int N>
INLINE void load_membranes(const Layer& layer, const Place& p, Floats* v) {
    for (int j = 0; j < N; ++j)
        v[j] = load<Floats>(layer.v + p.here + j * LANES, p.left_over - j * LANES);
}

template <int N>
INLINE void store_membranes(const Layer& layer, const Place& p, const Floats* v) {
    for (int j = 0; j < N; ++j)
        store(layer.v + p.here + j * LANES, v[j], p.left_over - j * LANES);
}

// ---- collect: all steps of one pixel and one block, the sums in registers

// Steps that go together.
template <int N>
constexpr int together() {
    return N >= 4 ? 2 : 4;
}

template <int N, bool direct>
INLINE void collect_pixel(const Layer& layer, const float* table, const Place& p, int shift,
                          Strip* strip, Reached* reached) {
    constexpr int STEPS = together<N>();
    const uint32_t nothing = uint32_t(layer.rows << shift);
    Floats v[N], drive[N];
    load_membranes<N>(layer, p, v);
    settle<N>(layer, p, drive);
    int32_t n = 0;
    for (int32_t s = 0; s < layer.mixed_count; ++s)
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
                    integrate_simply<N>(layer, p, t + k, sum[k], v);
                } else {
                    integrate<N>(layer, p, t + k, sum[k], v);
                }
            }
    }
    store_membranes<N>(layer, p, v);
}

template <int N>
void collect(const Layer& shared, int threads) {
    int shift = 0;  // from rows to bytes
    while ((uint64_t(1) << shift) < shared.block * sizeof(float)) ++shift;
    const int64_t lines = shared.batch * shared.height;
    int64_t most = 1;
    for (int32_t s = 0; s < shared.mixed_count; ++s) {
        const Window& w = shared.mixed[s].window;
        most += int64_t(w.height) * w.width;
    }
#pragma omp parallel num_threads(threads)
    {
        const Layer layer = shared;  // in registers: a store of bytes may not change it
        const bool direct = simple(layer);
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
                for (int32_t x = 0; x < layer.width; ++x) {
                    const Place p = place(layer, b, y, x, first);
                    if (direct) {
                        collect_pixel<N, true>(layer, table, p, shift, strip, reached);
                    } else {
                        collect_pixel<N, false>(layer, table, p, shift, strip, reached);
                    }
                }
            }
        }
        std::free(places);
        std::free(strip);
    }
}

// ---- scatter: step after step, the sums of a few rows in the first cache

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
    const uint16_t* entries = lists.entries + line * lists.capacity;
    const int32_t n = lists.offsets[line * (lists.width + 1) + lists.width];
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

template <int N>
INLINE void fire_row(const Layer& layer, const float* sums, int64_t b, int64_t t, int32_t y) {
    for (int32_t x = 0; x < layer.width; ++x) {
        const Place p = place(layer, b, y, x, 0);
        Floats v[N], sum[N];
        load_membranes<N>(layer, p, v);
        settle<N>(layer, p, sum);
        for (int j = 0; j < N; ++j) sum[j] += load<Floats>(sums + (x * N + j) * LANES);
        integrate<N>(layer, p, t, sum, v);
        store_membranes<N>(layer, p, v);
    }
}

template <int N, bool hard>
INLINE void fire_simple_row(const Layer& layer, const float* sums, int64_t b, int64_t t, int32_t y) {
    const int64_t size = int64_t(layer.width) * N * LANES;
    const int64_t row = (b * layer.height + y) * size, frame = layer.batch * layer.height * size;
    float* const membranes = layer.v + row;
    int8_t* const out = layer.out + t * frame + row;
    const bool beside = layer.channelwise_count;
    const int8_t* const shortcut = beside ? layer.channelwise[0].trains + t * frame + row : nullptr;
    Floats bias[N], weights[N];
    for (int j = 0; j < N; ++j) {
        bias[j] = load<Floats>(layer.bias + j * LANES);
        weights[j] = beside ? load<Floats>(layer.channelwise[0].weights + j * LANES) : Floats{};
    }
    for (int64_t i = 0; i < size; i += N * LANES) {
        for (int j = 0; j < N; ++j) {
            const int64_t at = i + j * LANES;
            Floats sum = bias[j] + load<Floats>(sums + at);
            if (beside) sum += floats(load<Bytes>(shortcut + at)) * weights[j];
            const Floats v = load<Floats>(membranes + at) + sum;
            const Words spike = v >= 1.0f;
            const Floats left =
                hard ? (spike ? Floats{} : v) : v - __builtin_convertvector(-spike, Floats);
            const Bytes sent = __builtin_convertvector(-spike, Bytes);
            __builtin_memcpy(membranes + at, &left, sizeof left);
            __builtin_memcpy(out + at, &sent, sizeof sent);
        }
    }
}

// Rows first .. last - 1 of image b, all steps.
template <int N>
INLINE void scatter_band(const Layer& layer, int64_t b, int32_t first, int32_t last,
                         const Ring& ring, int32_t* next, bool direct) {
    constexpr int BLOCK = N * LANES;
    for (int64_t t = 0; t < layer.steps; ++t) {
        std::memset(ring.sums, 0, ring.rows * ring.length * sizeof(float));
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
            float* sums = ring.sums + (y % ring.rows) * ring.length;
            float* pixels = sums + ring.margin * BLOCK;
            if (direct && layer.hard) {
                fire_simple_row<N, true>(layer, pixels, b, t, y);
            } else if (direct) {
                fire_simple_row<N, false>(layer, pixels, b, t, y);
            } else {
                fire_row<N>(layer, pixels, b, t, y);
            }
            std::memset(sums, 0, ring.length * sizeof(float));
        }
    }
}

template <int N>
void scatter(const Layer& shared, int threads) {
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
#pragma omp parallel num_threads(threads)
    {
        const Layer layer = shared;
        Ring ring = shape;
        const bool direct = simple(layer);
        ring.sums = static_cast<float*>(std::aligned_alloc(64, (room + 63) / 64 * 64));
        auto* next = static_cast<int32_t*>(std::malloc((layer.mixed_count + 1) * sizeof(int32_t)));
#pragma omp for schedule(static) nowait
        for (int64_t item = 0; item < layer.batch * bands; ++item) {
            const int64_t band = item % bands;
            scatter_band<N>(layer, item / bands, int32_t(layer.height * band / bands),
                            int32_t(layer.height * (band + 1) / bands), ring, next, direct);
        }
        std::free(next);
        std::free(ring.sums);
    }
}

template <int N>
void fire_layer(const Layer& layer, int threads) {
    if (layer.scatter) {
        scatter<N>(layer, threads);
    } else {
        collect<N>(layer, threads);
    }
}

void fire(const Layer& layer, int threads) {
    if (layer.batch == 0) return;
    switch (layer.block / LANES) {
        case 1: return fire_layer<1>(layer, threads);
        case 2: return fire_layer<2>(layer, threads);
        default: return fire_layer<4>(layer, threads);
    }
}

}  // namespace

extern const Kernels LEVEL;
const Kernels LEVEL{LANES, list, pool, fire, count};

}  // namespace isospike::events
