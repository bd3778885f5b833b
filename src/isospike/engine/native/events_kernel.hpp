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

INLINE int32_t largest(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

// ---- trains to lists

// Positions first .. first + n of a row, n at most 16, of which `at` says which spike.
INLINE int32_t append(const int8_t* at, int32_t first, int32_t n, uint16_t* to) {
#if defined(__AVX512F__)
    const __m128i spikes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __mmask16 wanted = __mmask16((1u << n) - 1);
    const __mmask16 mask = _mm_mask_test_epi8_mask(wanted, spikes, spikes);
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_add_epi32(count, _mm512_set1_epi32(first));
    const __m512i found = _mm512_maskz_compress_epi32(mask, places);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(found));
    return __builtin_popcount(mask);
#else
    int32_t found = 0;
    for (int32_t i = 0; i < n; ++i) {
        to[found] = uint16_t(first + i);
        found += at[i] != 0;
    }
    return found;
#endif
}

void list(const int8_t* trains, int64_t rows, const Lists& lists, int threads) {
    const int32_t width = lists.width, channels = lists.channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
        const int8_t* from = trains + row * width * channels;
        uint16_t* to = lists.entries + row * lists.capacity;
        int32_t* offsets = lists.offsets + row * (width + 1);
        int32_t found = 0;
        for (int32_t x = 0; x < width; ++x) {
            offsets[x] = found;
            for (int32_t c = 0; c < channels; c += 16) {
                const int32_t first = x * channels + c;
                found += append(from + first, first, least(16, channels - c), to + found);
            }
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
        for (int64_t frame = 0; frame < frames; ++frame) {
            const int8_t* at = trains + frame * neurons + first;
            for (int64_t i = 0; i < n; ++i) sums[i] += at[i];
        }
        for (int64_t i = 0; i < n; ++i) counts[first + i] += sums[i];
    }
}

// ---- lists to spikes

// Where the weights stand for every spike that reaches one neuron at one step.
struct Reached {
    uint32_t* places;  // in floats from the start of the table
    int64_t count;
};

INLINE void reach(Reached& reached, const uint16_t* from, int32_t n, uint32_t base, int shift) {
    for (int32_t i = 0; i < n; i += LANES) {
        const auto entry = __builtin_convertvector(load<Shorts>(from + i), Words);
        const Words place = (entry << shift) + int32_t(base);
        __builtin_memcpy(reached.places + reached.count + i, &place, sizeof place);
    }
    reached.count += n;
}

INLINE void reach(Reached& reached, const Mixed& source, int64_t frame, int32_t y, int32_t x,
                  int shift) {
    const Lists& lists = source.lists;
    const Window& w = source.window;
    const int32_t top = y * w.stride_y - w.pad_y, left = x * w.stride_x - w.pad_x;
    for (int32_t ky = 0; ky < w.height; ++ky) {
        const int32_t row = top + ky * w.step_y;
        if (row < 0 || row >= lists.height) continue;
        const int64_t line = frame * lists.height + row;
        const int32_t* offsets = lists.offsets + line * (lists.width + 1);
        const uint16_t* entries = lists.entries + line * lists.capacity;
        const int64_t first = source.first_row + int64_t(ky) * w.width * lists.channels;
        if (w.step_x == 1) {  // neighbouring columns are neighbours in the list
            const int32_t from = largest(left, 0), to = least(left + w.width, lists.width);
            if (from >= to) continue;
            const uint32_t base = uint32_t((first - int64_t(left) * lists.channels) << shift);
            reach(reached, entries + offsets[from], offsets[to] - offsets[from], base, shift);
        } else {
            for (int32_t kx = 0; kx < w.width; ++kx) {
                const int32_t column = left + kx * w.step_x;
                if (column < 0 || column >= lists.width) continue;
                const int64_t shifted = first + int64_t(kx - column) * lists.channels;
                reach(reached, entries + offsets[column], offsets[column + 1] - offsets[column],
                      uint32_t(shifted << shift), shift);
            }
        }
    }
}

// sum += the weights of all that was reached, over the channels of one block.
template <int N>
INLINE void add(Floats* sum, const float* table, const Reached& reached) {
    constexpr int TOGETHER = N >= 8 ? 1 : N >= 4 ? 2 : 4;  // sums side by side hide the latency
    Floats part[TOGETHER][N];
    for (int k = 0; k < TOGETHER; ++k)
        for (int j = 0; j < N; ++j) part[k][j] = Floats{};
    for (int64_t i = 0; i < reached.count; i += TOGETHER) {
#pragma GCC unroll 4
        for (int k = 0; k < TOGETHER; ++k) {
            const float* row = table + reached.places[i + k];
#pragma GCC unroll 8
            for (int j = 0; j < N; ++j) part[k][j] += load<Floats>(row + j * LANES);
        }
    }
    for (int k = 0; k < TOGETHER; ++k)
        for (int j = 0; j < N; ++j) sum[j] += part[k][j];
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
                sum[j] += __builtin_convertvector(spikes, Floats) * load<Floats>(weights + j * LANES);
            }
        }
    }
}

// All steps of the neurons of one pixel and one block of channels.
template <int N>
INLINE void fire_pixel(const Layer& layer, const float* table, int64_t b, int32_t y, int32_t x,
                       int32_t first, int shift, Reached& reached) {
    const int32_t left_over = layer.channels - first;
    const int64_t padded = (layer.channels + layer.block - 1) / layer.block * layer.block;
    const int64_t pixels = int64_t(layer.height) * layer.width;
    const int64_t here = ((b * layer.height + y) * layer.width + x) * layer.channels + first;
    const int64_t frame_size = layer.batch * pixels * layer.channels;
    const uint32_t nothing = uint32_t(layer.rows << shift);
    Floats v[N], drive[N];
    for (int j = 0; j < N; ++j) {
        const int64_t at = here + j * LANES;
        v[j] = load<Floats>(layer.v + at, left_over - j * LANES);
        drive[j] = load<Floats>(layer.bias + first + j * LANES);
        if (layer.steady) drive[j] += load<Floats>(layer.steady + at, left_over - j * LANES);
    }
    for (int64_t t = 0; t < layer.steps; ++t) {
        const int64_t frame = t * layer.batch + b;
        Floats sum[N];
        for (int j = 0; j < N; ++j) sum[j] = drive[j];
        if (layer.mixed_count) {
            reached.count = 0;
            for (int32_t s = 0; s < layer.mixed_count; ++s)
                reach(reached, layer.mixed[s], frame, y, x, shift);
            for (int k = 0; k < 4; ++k) reached.places[reached.count + k] = nothing;
            add<N>(sum, table, reached);
        }
        for (int32_t s = 0; s < layer.channelwise_count; ++s) {
            add<N>(sum, layer.channelwise[s], frame, y, x, layer.channels, padded, first,
                   left_over);
        }
        if (layer.frames) {
            for (int j = 0; j < N; ++j) {
                const float* at = layer.frames + t * frame_size + here + j * LANES;
                sum[j] += load<Floats>(at, left_over - j * LANES) /
                          load<Floats>(layer.theta + first + j * LANES);
            }
        }
        int8_t* out = layer.out + t * frame_size + here;
        for (int j = 0; j < N; ++j) {
            v[j] += sum[j];
            const Words spike = v[j] >= 1.0f;
            const Floats one = __builtin_convertvector(-spike, Floats);
            v[j] = layer.hard ? (spike ? Floats{} : v[j]) : v[j] - one;
            store(out + j * LANES, __builtin_convertvector(-spike, Bytes), left_over - j * LANES);
        }
    }
    for (int j = 0; j < N; ++j) store(layer.v + here + j * LANES, v[j], left_over - j * LANES);
}

template <int N>
void fire_layer(const Layer& layer, int threads) {
    int shift = 0;
    while ((1 << shift) < layer.block) ++shift;
    const int64_t lines = layer.batch * layer.height;
#pragma omp parallel num_threads(threads)
    {
        auto* places = static_cast<uint32_t*>(
            std::malloc((layer.longest + PADDING) * sizeof(uint32_t)));
        Reached reached{places, 0};
        for (int32_t first = 0; first < layer.channels; first += layer.block) {
            const float* table = layer.table + int64_t(first) * (layer.rows + 1);
#pragma omp for schedule(static) nowait
            for (int64_t line = 0; line < lines; ++line) {
                const int64_t b = line / layer.height;
                const int32_t y = int32_t(line % layer.height);
                for (int32_t x = 0; x < layer.width; ++x)
                    fire_pixel<N>(layer, table, b, y, x, first, shift, reached);
            }
        }
        std::free(places);
    }
}

void fire(const Layer& layer, int threads) {
    switch (layer.block / LANES) {
        case 1: return fire_layer<1>(layer, threads);
        case 2: return fire_layer<2>(layer, threads);
        case 4: return fire_layer<4>(layer, threads);
        default: return fire_layer<8>(layer, threads);
    }
}

}  // namespace

extern const Kernels LEVEL;
const Kernels LEVEL{LANES, list, pool, fire, count};

}  // namespace isospike::events
