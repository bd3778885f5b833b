#pragma once

#include <nanobind/nanobind.h>

namespace isospike {

// The activation, the noise and the neurons of training, into the module of the kernels.
void add_clip_quant(nanobind::module_& module);

}  // namespace isospike
