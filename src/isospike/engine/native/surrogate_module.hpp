#pragma once

#include <nanobind/nanobind.h>

namespace isospike {

// The neurons with a surrogate gradient, into the module of the kernels.
void add_surrogate(nanobind::module_& module);

}  // namespace isospike
