// Arrays of floats, or of bfloat16, which is the upper half of a float.
#pragma once

#include <cstdint>

namespace isospike {

struct Numbers {
    void* data;
    bool narrow;  // bfloat16
};

// n numbers from `place` on as floats: where they are, or in `buffer`.
const float* read(const Numbers& numbers, int64_t place, float* buffer, int64_t n);

// Floats to n numbers from `place` on, to the nearest, ties to even; what is not a number stays
// none.
void write(const float* from, const Numbers& numbers, int64_t place, int64_t n);

}  // namespace isospike
