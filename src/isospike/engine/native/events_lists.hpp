// Trains to lists, and their counts. Part of events_kernel.hpp.
#pragma once

#include "events.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

#if defined(__AVX512F__)
// Positions first .. first + 15 of a row, of which `mask` says which spike.
INLINE int32_t append(__mmask16 mask, int32_t first, uint16_t* to) {
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_add_epi32(count, _mm512_set1_epi32(first));
    const __m512i found = _mm512_maskz_compress_epi32(mask, places);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(found));
    return __builtin_popcount(mask);
}

// Positions first .. first + n, n at most 16, where `level` spikes or more are sent.
template <bool minus>
INLINE int32_t append(const int8_t* at, int32_t first, int32_t n, int32_t level, uint16_t* to) {
    const __m128i spikes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i bound = _mm_set1_epi8(int8_t(minus ? -level : level));
    const __mmask16 here = __mmask16((1u << n) - 1);
    return append(minus ? _mm_mask_cmple_epi8_mask(here, spikes, bound)
                        : _mm_mask_cmpge_epi8_mask(here, spikes, bound), first, to);
}

template <bool minus>
INLINE int32_t append_16(const int8_t* at, int32_t first, int32_t level, uint16_t* to) {
    return append<minus>(at, first, 16, level, to);
}

#if defined(__AVX512VBMI2__)
#define PACKS_SHORTS
// Positions first .. first + 31; `half` of those found are among the first sixteen.
template <bool minus>
INLINE int32_t append_32(const int8_t* at, int32_t first, uint16_t* to, int32_t& half) {
    alignas(64) static constexpr uint16_t COUNT[32] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    const __m256i spikes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __mmask32 mask = minus ? _mm256_movepi8_mask(spikes)
                                 : _mm256_cmpgt_epi8_mask(spikes, _mm256_setzero_si256());
    const __m512i places =
        _mm512_add_epi16(_mm512_load_si512(COUNT), _mm512_set1_epi16(int16_t(first)));
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi16(mask, places));
    half = __builtin_popcount(mask & 0xffff);
    return __builtin_popcount(mask);
}
#endif
#else
template <bool minus>
INLINE int32_t append(const int8_t* at, int32_t first, int32_t n, int32_t level, uint16_t* to) {
    int32_t found = 0;
    for (int32_t i = 0; i < n; ++i) {
        to[found] = uint16_t(first + i);
        found += (minus ? -at[i] : at[i]) >= level;
    }
    return found;
}

// Eight at a time: most eights are silent.
template <bool minus>
INLINE int32_t append_16(const int8_t* at, int32_t first, int32_t level, uint16_t* to) {
    int32_t found = 0;
    for (int32_t half = 0; half < 16; half += 8) {
        const auto eight = load<uint64_t>(at + half);
        if (eight) found += append<minus>(at + half, first + half, 8, level, to + found);
    }
    return found;
}
#endif

// Sixteen channels of a pixel, or n of them where there are fewer left; at most `most` entries each.
template <bool minus, bool many, bool whole>
INLINE int32_t append_all(const int8_t* at, int32_t first, int32_t n, int32_t most, uint16_t* to) {
    int32_t found = 0;
    for (int32_t level = 1; level <= (many ? most : 1); ++level) {
        const int32_t more = whole ? append_16<minus>(at, first, level, to + found)
                                   : append<minus>(at, first, n, level, to + found);
        found += more;
        if (many && !more) break;
    }
    return found;
}

// One row: entries from number `start` on; returns how many. `apart`: channels of the trains.
template <bool minus, bool many>
INLINE int32_t list_row(const int8_t* from, int32_t apart, const Lists& lists, int64_t start,
                        int32_t* offsets) {
    const int32_t width = lists.width, channels = lists.channels;
    uint16_t* to = lists.entries + start;
    int32_t found = 0, x = 0;
#if defined(PACKS_SHORTS)
    if (!many && channels == 16 && apart == 16)  // two columns at once
        for (int32_t half; x + 2 <= width; x += 2) {
            const int32_t here = int32_t(start) + found;
            found += append_32<minus>(from + x * 16, x * 16, to + found, half);
            offsets[x] = here;
            offsets[x + 1] = here + half;
        }
#endif
    for (; x < width; ++x) {
        offsets[x] = int32_t(start) + found;
        const int8_t* at = from + int64_t(x) * apart - x * channels;
        int32_t first = x * channels;
        const int32_t next = first + channels;
#if defined(PACKS_SHORTS)
        for (int32_t half; !many && first + 32 <= next; first += 32)
            found += append_32<minus>(at + first, first, to + found, half);
#endif
        for (; first + 16 <= next; first += 16)
            found += append_all<minus, many, true>(at + first, first, 16, lists.most, to + found);
        if (first < next)
            found += append_all<minus, many, false>(at + first, first, next - first, lists.most,
                                                    to + found);
    }
    offsets[width] = int32_t(start) + found;
    return found;
}

template <bool minus, bool many>
int64_t list_all(const int8_t* trains, int64_t rows, const Picked& picked, const Lists& shared,
                 int threads) {
    int64_t spikes = 0;
#pragma omp parallel num_threads(threads) reduction(+ : spikes)
    {
        const Lists lists = shared;  // in registers
        int64_t start = -1;          // of the next row
#pragma omp for schedule(static)
        for (int64_t row = 0; row < rows; ++row) {
            if (start < 0) start = row * lists.capacity;
            const int32_t found = list_row<minus, many>(
                trains + row * lists.width * picked.channels + picked.first, picked.channels, lists,
                start, lists.offsets + row * (lists.width + 1));
            start += found;
            spikes += found;
        }
    }
    return spikes;
}

int64_t list(const int8_t* trains, int64_t rows, const Picked& picked, const Lists& lists,
             int threads) {
    const bool many = lists.most > 1;
    auto* const work = picked.minus ? (many ? list_all<true, true> : list_all<true, false>)
                                    : (many ? list_all<false, true> : list_all<false, false>);
    return work(trains, rows, picked, lists, threads);
}

void count(const int8_t* trains, int64_t frames, int64_t neurons, int64_t* counts, int threads) {
    constexpr int64_t BLOCK = 256;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < neurons; first += BLOCK) {
        const int64_t n = neurons - first < BLOCK ? neurons - first : BLOCK;
        int32_t sums[BLOCK] = {};
        for (int64_t frame = 0; frame < frames;) {
            int16_t few[BLOCK] = {};  // a byte is at most 128: 255 of them fit
            const int64_t end = frame + 255 < frames ? frame + 255 : frames;
            for (; frame < end; ++frame) {
                const int8_t* at = trains + frame * neurons + first;
                for (int64_t i = 0; i < n; ++i)
                    few[i] = int16_t(few[i] + (at[i] < 0 ? -at[i] : at[i]));
            }
            for (int64_t i = 0; i < n; ++i) sums[i] += few[i];
        }
        for (int64_t i = 0; i < n; ++i) counts[first + i] += sums[i];
    }
}

}  // namespace
}  // namespace isospike::events
