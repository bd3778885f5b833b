// The Python face of surrogate.hpp: arrays are checked here.
#include "surrogate_module.hpp"

#include <nanobind/ndarray.h>

#include "arrays.hpp"
#include "surrogate.hpp"

namespace isospike {
namespace {

namespace nb = nanobind;

template <typename T, int rank>
using Array = nb::ndarray<T, nb::ndim<rank>, nb::c_contig, nb::device::cpu>;
using Each = Array<const float, 1>;
using Table = Array<const float, 2>;
// Floats, or bfloat16 as the 16-bit integers that hold it.
using Any = nb::ndarray<nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <typename A>
bool is(const A& a, size_t steps, size_t batch, size_t count) {
    return (a.shape(0) == steps || a.shape(0) == 1) && a.shape(1) == batch && a.shape(2) == count;
}

int64_t stride(size_t frames, size_t size) { return frames == 1 ? 0 : int64_t(size); }

Frames frames(const Any& a) {
    return {numbers(a, "z, out, g, gz: float, or bfloat16 as int16"),
            stride(a.shape(0), a.shape(1) * a.shape(2))};
}

Charge charge(const Each& theta, const Each& v0, const Table& bias, float leak, bool hard,
              size_t steps, size_t batch, size_t count) {
    check(theta.shape(0) == count && v0.shape(0) == count, "theta, v0: one per neuron");
    check((bias.shape(0) == 1 || bias.shape(0) == steps) && bias.shape(1) == count,
          "bias: [1 or T, N]");
    return {theta.data(), v0.data(), bias.data(), stride(bias.shape(0), count), leak, hard,
            int64_t(steps), int64_t(batch), int64_t(count)};
}

void fire_(Any z, Each theta, Each v0, Table bias, float leak, bool hard, Any out,
           Array<float, 3> u, int threads) {
    const size_t steps = u.shape(0), batch = u.shape(1), count = u.shape(2);
    check(is(z, steps, batch, count), "z: [1 or T, B, N] of u");
    check(out.shape(0) == steps && is(out, steps, batch, count), "out: like u");
    const Charge at = charge(theta, v0, bias, leak, hard, steps, batch, count);
    const Frames from = frames(z), to = frames(out);
    nb::gil_scoped_release release;
    fire(at, from, to, u.data(), threads);
}

void back_(Array<const float, 3> u, Any g, Table m, Each theta, Each v0, Table bias, float leak,
           bool hard, int kind, float width, Any gz, Array<float, 1> gtheta, Array<float, 1> gv0,
           Array<float, 2> gbias, Array<float, 1> gleak, int threads) {
    const size_t steps = u.shape(0), batch = u.shape(1), count = u.shape(2);
    check(is(g, steps, batch, count) && is(gz, steps, batch, count), "g, gz: [1 or T, B, N] of u");
    check(m.shape(0) == batch && m.shape(1) == count, "m: [B, N] of u");
    check(kind >= 0 && kind <= 2 && width > 0.0f, "kind: 0 to 2; width: above 0");
    check(gtheta.shape(0) == count && gv0.shape(0) == count && gleak.shape(0) == count,
          "gtheta, gv0, gleak: one per neuron");
    check(gbias.shape(0) == bias.shape(0) && gbias.shape(1) == count, "gbias: like bias");
    const Charge at = charge(theta, v0, bias, leak, hard, steps, batch, count);
    const Frames from = frames(g);
    const Gradients to{frames(gz), gtheta.data(), gv0.data(), gbias.data(), gleak.data()};
    nb::gil_scoped_release release;
    fire_back(at, u.data(), from, m.data(), Surrogate(kind), width, to, threads);
}

}  // namespace

void add_surrogate(nb::module_& module) {
    module.def("fire", &fire_, nb::arg("z").noconvert(), nb::arg("theta").noconvert(),
               nb::arg("v0").noconvert(), nb::arg("bias").noconvert(), nb::arg("leak"),
               nb::arg("hard"), nb::arg("out").noconvert(), nb::arg("u").noconvert(),
               nb::arg("threads"));
    module.def("fire_back", &back_, nb::arg("u").noconvert(), nb::arg("g").noconvert(),
               nb::arg("m").noconvert(), nb::arg("theta").noconvert(), nb::arg("v0").noconvert(),
               nb::arg("bias").noconvert(), nb::arg("leak"), nb::arg("hard"), nb::arg("kind"),
               nb::arg("width"), nb::arg("gz").noconvert(), nb::arg("gtheta").noconvert(),
               nb::arg("gv0").noconvert(), nb::arg("gbias").noconvert(),
               nb::arg("gleak").noconvert(), nb::arg("threads"));
}

}  // namespace isospike
