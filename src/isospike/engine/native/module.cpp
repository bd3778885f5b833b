// The Python face of the kernels: arrays are checked here, so that no kernel sees a wrong shape.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <vector>

#include "arrays.hpp"
#include "clip_quant_module.hpp"
#if defined(ISOSPIKE_EVENTS)
#include "events_module.hpp"
#endif
#include "neurons.hpp"
#include "surrogate_module.hpp"

namespace nb = nanobind;

namespace {

template <typename T, typename... Shape>
using Array = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Floats = Array<const float, nb::ndim<1>>;
using Batch = Array<float, nb::ndim<2>>;
using Frames = Array<float, nb::ndim<3>>;

using isospike::check;

isospike::Parameter parameter(const Floats& values, size_t count) {
    const size_t given = values.shape(0);
    check(given > 0 && count % given == 0, "theta, bias, amplitude, v0: 1, one per channel, or N");
    return {values.data(), int64_t(given)};
}

isospike::Neurons neurons(const Floats& theta, const std::optional<Floats>& bias,
                          const std::optional<Floats>& amplitude,
                          const std::optional<Floats>& v0, size_t count) {
    static const float ZERO = 0.0f;
    const isospike::Parameter none{&ZERO, 1};
    return {parameter(theta, count), bias ? parameter(*bias, count) : none,
            parameter(amplitude ? *amplitude : theta, count), v0 ? parameter(*v0, count) : none,
            int64_t(count)};
}

void integrate_and_fire(Frames z, Frames out, Batch v, Floats theta,
                        std::optional<Floats> bias, std::optional<Floats> amplitude, bool hard,
                        std::vector<int64_t> readings,
                        Array<int64_t, nb::ndim<2>> counts, int threads) {
    const size_t steps = out.shape(0), batch = out.shape(1), count = out.shape(2);
    check(z.shape(0) == steps || z.shape(0) == 1, "z: one frame, or as many as out");
    check(z.shape(1) == batch && z.shape(2) == count, "z: batch and neurons of out");
    check(v.shape(0) == batch && v.shape(1) == count, "v: batch and neurons of out");
    check(counts.shape(0) == readings.size() && counts.shape(1) == count, "counts: [readings, N]");
    int64_t before = 0;
    for (const int64_t reading : readings) {
        check(reading >= before, "readings: ascending");
        before = reading;
    }
    check(before == int64_t(steps), "readings: the last is the number of steps");
    const auto all = neurons(theta, bias, amplitude, std::nullopt, count);
    const int64_t stride = z.shape(0) == 1 ? 0 : int64_t(batch * count);
    nb::gil_scoped_release release;
    isospike::integrate_and_fire(z.data(), stride, out.data(), v.data(), all, hard, int64_t(batch),
                                 readings.data(), int64_t(readings.size()), counts.data(), threads);
}

void count_spikes(Frames z, Batch out, Floats theta, std::optional<Floats> bias, Floats v0,
                  bool hard, int64_t steps, int threads) {
    const size_t batch = out.shape(0), count = out.shape(1);
    check(z.shape(0) == 1 || int64_t(z.shape(0)) == steps, "z: one frame, or one for each step");
    check(z.shape(1) == batch && z.shape(2) == count, "z: batch and neurons of out");
    const auto all = neurons(theta, bias, std::nullopt, v0, count);
    const int64_t stride = z.shape(0) == 1 ? 0 : int64_t(batch * count);
    nb::gil_scoped_release release;
    isospike::count_spikes(z.data(), stride, out.data(), all, hard, steps, int64_t(batch), threads);
}

void radix_encode(Batch z, Batch out, Floats theta, std::optional<Floats> bias,
                  std::optional<Floats> amplitude, Floats v0, float gain, int base, int digits,
                  std::optional<Array<int64_t, nb::ndim<1>>> counts, int threads) {
    const size_t batch = out.shape(0), count = out.shape(1);
    check(z.shape(0) == batch && z.shape(1) == count, "z: batch and neurons of out");
    check(!counts || counts->shape(0) == count, "counts: one per neuron");
    check(base == 1 || base == 2, "base: 1 or 2");
    check(digits >= 1 && (base == 1 || digits <= 52), "digits: 1 to 52");
    const auto all = neurons(theta, bias, amplitude, v0, count);
    nb::gil_scoped_release release;
    isospike::radix_encode(z.data(), out.data(), all, gain, base, digits, int64_t(batch),
                           counts ? counts->data() : nullptr, threads);
}

}  // namespace

NB_MODULE(_kernels, module) {
#if defined(ISOSPIKE_EVENTS)
    isospike::events::bind(module);
#endif
    module.def("integrate_and_fire", &integrate_and_fire, nb::arg("z").noconvert(),
               nb::arg("out").noconvert(), nb::arg("v").noconvert(), nb::arg("theta").noconvert(),
               nb::arg("bias").noconvert().none(), nb::arg("amplitude").noconvert().none(),
               nb::arg("hard"), nb::arg("readings"), nb::arg("counts").noconvert(),
               nb::arg("threads"));
    module.def("count_spikes", &count_spikes, nb::arg("z").noconvert(),
               nb::arg("out").noconvert(), nb::arg("theta").noconvert(),
               nb::arg("bias").noconvert().none(), nb::arg("v0").noconvert(), nb::arg("hard"),
               nb::arg("steps"), nb::arg("threads"));
    module.def("radix_encode", &radix_encode, nb::arg("z").noconvert(), nb::arg("out").noconvert(),
               nb::arg("theta").noconvert(), nb::arg("bias").noconvert().none(),
               nb::arg("amplitude").noconvert().none(), nb::arg("v0").noconvert(), nb::arg("gain"),
               nb::arg("base"), nb::arg("digits"), nb::arg("counts").noconvert().none(),
               nb::arg("threads"));
    isospike::add_clip_quant(module);
    isospike::add_surrogate(module);
}
