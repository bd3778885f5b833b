#pragma once

#include <nanobind/nanobind.h>

namespace isospike::events {

void bind(nanobind::module_& module);

}  // namespace isospike::events
