// The windows of pixels, input after input, as the matrix unit reads them. Part of events_matrix.cpp.
#pragma once

#include <immintrin.h>

#include "events.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

// `count` bytes, of zeros where there is no source.
INLINE void copy(int8_t* to, const int8_t* from, int64_t count) {
    for (int64_t i = 0; i < count; i += 64) {
        const __mmask64 some = count - i < 64 ? ~uint64_t(0) >> (64 - (count - i)) : ~uint64_t(0);
        const __m512i bytes = from ? _mm512_maskz_loadu_epi8(some, from + i) : __m512i{};
        _mm512_mask_storeu_epi8(to + i, some, bytes);
    }
}

// What the window of output pixel (y, x) holds in one frame, row by row.
INLINE int8_t* gather(int8_t* to, const Patch& source, int64_t frame, int32_t y, int32_t x) {
    const Window& w = source.window;
    const int64_t channels = source.channels;
    // Neighbouring columns are neighbours in the trains, unless the window has holes.
    const int32_t pieces = w.step_x == 1 ? 1 : w.width, wide = w.step_x == 1 ? w.width : 1;
    for (int32_t ky = 0; ky < w.height; ++ky) {
        const int32_t row = y * w.stride_y - w.pad_y + ky * w.step_y;
        const bool empty = row < 0 || row >= source.height;
        const int8_t* line =
            source.trains + (frame * source.height + row) * source.width * channels;
        for (int32_t piece = 0; piece < pieces; ++piece) {
            const int32_t left = x * w.stride_x - w.pad_x + piece * w.step_x;
            const int32_t before = empty ? wide : least(largest(-left, 0), wide);
            const int32_t end = empty ? wide : least(source.width - left, wide);
            const int32_t inside = largest(end - before, 0);
            copy(to, nullptr, before * channels);
            copy(to + before * channels, line + (left + before) * channels, inside * channels);
            copy(to + (before + inside) * channels, nullptr, (wide - before - inside) * channels);
            to += wide * channels;
        }
    }
    return to;
}

}  // namespace
}  // namespace isospike::events
