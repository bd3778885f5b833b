// What the Python faces of the kernels share: checks of arrays.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <stdexcept>

#include "bfloat16.hpp"

namespace isospike {

inline void check(bool good, const char* what) {
    if (!good) throw std::invalid_argument(what);
}

// Floats, or bfloat16 as the 16-bit integers that hold it; `what` names it in the error.
template <typename A>
Numbers numbers(const A& a, const char* what) {
    const bool narrow = a.dtype() == nanobind::dtype<int16_t>();
    check(narrow || a.dtype() == nanobind::dtype<float>(), what);
    return {a.data(), narrow};
}

}  // namespace isospike
