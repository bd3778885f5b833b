// Gaussian noise for training. Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

#include "bfloat16.hpp"

namespace isospike {

// n draws of the standard normal distribution. They follow from the seed alone, not from the number
// of threads. Seeds choose where to begin in one sequence of 2^64: two calls for a million draws
// have some in common with a probability of 1e-13.
void normal(uint64_t seed, const Numbers& out, int64_t n, int threads);

}  // namespace isospike
