// Average pooling without its division. Part of events_kernel.hpp.
#pragma once

#include "events.hpp"
#include "events_vectors.hpp"

namespace isospike::events {
namespace {

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

}  // namespace
}  // namespace isospike::events
