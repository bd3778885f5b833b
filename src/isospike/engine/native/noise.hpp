// Gaussian noise for training. Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

namespace isospike {

// n draws of the standard normal distribution, floats or, where `narrow`, bfloat16. They follow
// from the seed alone, not from the number of threads.
void normal(uint64_t seed, void* out, int64_t n, bool narrow, int threads);

}  // namespace isospike
