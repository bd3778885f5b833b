// bfloat16, the upper half of a float, in arrays.
#pragma once

#include <cstdint>

namespace isospike {

void widen(const uint16_t* from, float* to, int64_t n);

// To the nearest, ties to even; what is not a number stays none.
void narrow(const float* from, uint16_t* to, int64_t n);

}  // namespace isospike
