// The Python face of clip_quant.hpp and noise.hpp: arrays are checked here.
#include "clip_quant_module.hpp"

#include <nanobind/ndarray.h>

#include "arrays.hpp"
#include "clip_quant.hpp"
#include "noise.hpp"

namespace isospike {
namespace {

namespace nb = nanobind;

// Floats, or bfloat16 as the 16-bit integers that hold it.
using Any = nb::ndarray<nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Values values(const Any& a, size_t n) {
    check(a.shape(0) == n, "values: one for each of z, rate: one for each neuron");
    return {numbers(a, "values: float, or bfloat16 as int16"), int64_t(n)};
}

void forward(Any z, float theta, int levels, float shift, float slip, Any a, int threads) {
    check(levels >= 0, "levels: none (0) or more");
    const Values from = values(z, z.shape(0)), to = values(a, z.shape(0));
    nb::gil_scoped_release release;
    clip_quant(from, {theta, levels, shift, slip}, to, threads);
}

double backward(Any g, Any z, Any a, float theta, Any gz, int threads) {
    const size_t n = z.shape(0);
    const Values grad = values(g, n), from = values(z, n), out = values(a, n), to = values(gz, n);
    nb::gil_scoped_release release;
    return clip_quant_back(grad, from, out, theta, to, threads);
}

void spikes(Any z, int64_t steps, float theta, float v0, Any out, Any rate, int threads) {
    check(steps > 0, "steps: at least 1");
    const size_t n = rate.shape(0), all = n * size_t(steps);
    const Values from = values(z, all), to = values(out, all), mean = values(rate, n);
    nb::gil_scoped_release release;
    clip_spikes(from, steps, theta, v0, to, mean, threads);
}

void draws(uint64_t seed, Any out, int threads) {
    const Values to = values(out, out.shape(0));
    nb::gil_scoped_release release;
    normal(seed, to, to.n, threads);
}

}  // namespace

void add_clip_quant(nb::module_& module) {
    module.def("clip_quant", &forward, nb::arg("z").noconvert(), nb::arg("theta"),
               nb::arg("levels"), nb::arg("shift"), nb::arg("slip"), nb::arg("a").noconvert(),
               nb::arg("threads"));
    module.def("clip_quant_back", &backward, nb::arg("g").noconvert(), nb::arg("z").noconvert(),
               nb::arg("a").noconvert(), nb::arg("theta"), nb::arg("gz").noconvert(),
               nb::arg("threads"));
    module.def("clip_spikes", &spikes, nb::arg("z").noconvert(), nb::arg("steps"),
               nb::arg("theta"), nb::arg("v0"), nb::arg("out").noconvert(),
               nb::arg("rate").noconvert(), nb::arg("threads"));
    module.def("normal", &draws, nb::arg("seed"), nb::arg("out").noconvert(), nb::arg("threads"));
}

}  // namespace isospike
