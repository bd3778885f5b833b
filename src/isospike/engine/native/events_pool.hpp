// Average pooling without its division. Part of events_kernel.hpp.
#pragma once

#include "events.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

int64_t pool(const Lists& lists, int64_t frames, const Window& window, const Lists& pooled,
             int threads) {
    const int32_t channels = lists.channels;
    int64_t spikes = 0;
#pragma omp parallel num_threads(threads) reduction(+ : spikes)
    {
        int64_t start = -1;  // of the next row
#pragma omp for schedule(static)
        for (int64_t line = 0; line < frames * pooled.height; ++line) {
            const int64_t frame = line / pooled.height;
            const int32_t top = int32_t(line % pooled.height) * window.stride_y - window.pad_y;
            if (start < 0) start = line * pooled.capacity;
            uint16_t* to = pooled.entries + start;
            int32_t* offsets = pooled.offsets + line * (pooled.width + 1);
            int32_t found = 0;
            for (int32_t x = 0; x < pooled.width; ++x) {
                offsets[x] = int32_t(start) + found;
                for (int32_t ky = 0; ky < window.height; ++ky) {
                    const int32_t row = top + ky * window.step_y;
                    if (row < 0 || row >= lists.height) continue;
                    const int64_t source = frame * lists.height + row;
                    const int32_t* at = lists.offsets + source * (lists.width + 1);
                    for (int32_t kx = 0; kx < window.width; ++kx) {
                        const int32_t column = x * window.stride_x - window.pad_x + kx * window.step_x;
                        if (column < 0 || column >= lists.width) continue;
                        const uint16_t move = uint16_t((x - column) * channels);
                        const int32_t n = at[column + 1] - at[column];
                        for (int32_t i = 0; i < n; i += LANES) {
                            const Shorts entry = load<Shorts>(lists.entries + at[column] + i) + move;
                            __builtin_memcpy(to + found + i, &entry, sizeof entry);
                        }
                        found += n;
                    }
                }
            }
            start += found;
            spikes += found;
            offsets[pooled.width] = int32_t(start);
        }
    }
    return spikes;
}

void sum(const int8_t* trains, int64_t frames, int32_t height, int32_t width, int32_t channels,
         const Window& window, int8_t* sums, int32_t high, int32_t wide, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t line = 0; line < frames * high; ++line) {
        const int64_t frame = line / high;
        const int32_t top = int32_t(line % high) * window.stride_y - window.pad_y;
        int8_t* to = sums + line * wide * channels;
        for (int32_t x = 0; x < wide; ++x, to += channels) {
            for (int32_t c = 0; c < channels; ++c) to[c] = 0;
            for (int32_t ky = 0; ky < window.height; ++ky) {
                const int32_t row = top + ky * window.step_y;
                if (row < 0 || row >= height) continue;
                for (int32_t kx = 0; kx < window.width; ++kx) {
                    const int32_t column = x * window.stride_x - window.pad_x + kx * window.step_x;
                    if (column < 0 || column >= width) continue;
                    const int8_t* from =
                        trains + ((frame * height + row) * width + column) * channels;
                    for (int32_t c = 0; c < channels; ++c) to[c] = int8_t(to[c] + from[c]);
                }
            }
        }
    }
}

}  // namespace
}  // namespace isospike::events
