// The Python face of events.hpp. Every array is checked here: no kernel sees a wrong shape.
#include "events_module.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "events.hpp"

namespace nb = nanobind;

namespace isospike::events {
namespace {

template <typename T, int rank>
using Array = nb::ndarray<T, nb::ndim<rank>, nb::c_contig, nb::device::cpu>;
using Geometry = std::array<int32_t, 8>;  // in the order of Window

Window window(const Geometry& g) {
    check(g[0] > 0 && g[1] > 0 && g[2] > 0 && g[3] > 0 && g[6] > 0 && g[7] > 0,
          "window: size, stride and dilation from 1 up");
    check(g[4] >= 0 && g[5] >= 0, "window: padding from 0 up");
    return {g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]};
}

// Where the window of output pixel `last` ends is inside the padded source.
void check_reach(int64_t outside, int64_t inside, int32_t size, int32_t stride, int32_t pad,
                 int32_t step) {
    check((outside - 1) * stride + int64_t(size - 1) * step < inside + 2 * int64_t(pad),
          "window: reaches beyond the padding");
}

void check_reach(const Window& w, int64_t height, int64_t width, int64_t high, int64_t wide) {
    check_reach(height, high, w.height, w.stride_y, w.pad_y, w.step_y);
    check_reach(width, wide, w.width, w.stride_x, w.pad_x, w.step_x);
}

// entries: [frames * H * (W * channels * most + SLACK) + PADDING], offsets: [frames, H, W + 1]
struct PyLists {
    Array<uint16_t, 1> entries;
    Array<int32_t, 3> offsets;
    int64_t frames;
    Lists lists;

    PyLists(Array<uint16_t, 1> entries, Array<int32_t, 3> offsets, int64_t channels, int64_t most)
        : entries(entries), offsets(offsets), frames(int64_t(offsets.shape(0))) {
        const int64_t height = int64_t(offsets.shape(1)), width = int64_t(offsets.shape(2)) - 1;
        check(channels > 0 && width > 0 && most > 0 && most < 4096, "lists: empty or too many");
        check(channels <= 65536 && width * channels <= 65536,
              "lists: a row has more than 65536 neurons");
        const int64_t capacity = width * channels * most + SLACK;
        check(int64_t(entries.shape(0)) >= frames * height * capacity + PADDING,
              "lists: entries are too few");
        check(int64_t(entries.shape(0)) < int64_t(1) << 31, "lists: too many entries");
        lists = {entries.data(), offsets.data(), capacity, int32_t(channels), int32_t(height),
                 int32_t(width), int32_t(most)};
    }
};

// trains: [frames * H * W * channels + PADDING]
int64_t py_list(Array<const int8_t, 1> trains, int64_t channels, int64_t first, bool minus,
                PyLists& to, int threads) {
    const Lists& lists = to.lists;
    const int64_t rows = to.frames * lists.height;
    check(first >= 0 && channels <= 65536 && first + lists.channels <= channels,
          "lists: channels that the trains do not have");
    check(int64_t(trains.shape(0)) >= rows * lists.width * channels + PADDING,
          "trains: too short");
    nb::gil_scoped_release release;
    return kernels().list(trains.data(), rows, {int32_t(channels), int32_t(first), minus}, lists,
                          threads);
}

int64_t py_pool(const PyLists& from, const Geometry& geometry, PyLists& to, int threads) {
    const Window w = window(geometry);
    check(from.frames == to.frames && from.lists.channels == to.lists.channels,
          "pooled: frames and channels of the lists");
    check_reach(w, to.lists.height, to.lists.width, from.lists.height, from.lists.width);
    check(to.lists.most >= int64_t(w.height) * w.width * from.lists.most, "pooled: too short");
    nb::gil_scoped_release release;
    return kernels().pool(from.lists, from.frames, w, to.lists, threads);
}

// Sums of windows of trains, in trains.
void py_sum(Array<const int8_t, 5> trains, const Geometry& geometry, Array<int8_t, 5> sums,
            int threads) {
    const Window w = window(geometry);
    for (int i : {0, 1, 4})
        check(trains.shape(i) == sums.shape(i), "sums: frames and channels of the trains");
    const auto height = int64_t(trains.shape(2)), width = int64_t(trains.shape(3)),
               high = int64_t(sums.shape(2)), wide = int64_t(sums.shape(3));
    check_reach(w, high, wide, height, width);
    nb::gil_scoped_release release;
    kernels().sum(trains.data(), int64_t(trains.shape(0) * trains.shape(1)), int32_t(height),
                  int32_t(width), int32_t(trains.shape(4)), w, sums.data(), int32_t(high),
                  int32_t(wide), threads);
}

Neuron neuron(bool hard, float leak, float cap, bool paired, float low, float back, float least,
              float most) {
    check(cap >= 1 && cap <= 127, "neuron: cap from 1 to 127");
    const Kind kind = paired ? Kind::paired : cap == 1 && leak == 1 ? Kind::plain : Kind::graded;
    return {kind, hard, leak, cap, low, back, least, most};
}

// A layer's inputs for the matrix unit, and the patches that `matrix` points to.
struct PyMatrix {
    std::vector<Patch> patches;
    Matrix matrix;
};

// (digits, units, [(trains, window)])
PyMatrix matrix(const nb::tuple& given, const Array<int8_t, 5>& out, int64_t padded) {
    check(matrix_unit(), "matrix: this processor has no matrix unit");
    const auto digits = nb::cast<Array<const int8_t, 4>>(given[0]);
    const auto units = nb::cast<Array<const float, 1>>(given[1]);
    PyMatrix found;
    int64_t inputs = 0;
    for (const nb::tuple& each : nb::cast<std::vector<nb::tuple>>(given[2])) {
        const auto trains = nb::cast<Array<const int8_t, 5>>(each[0]);
        const Window w = window(nb::cast<Geometry>(each[1]));
        check(trains.shape(0) == out.shape(0) && trains.shape(1) == out.shape(1),
              "matrix: the frames of out");
        const auto high = int64_t(trains.shape(2)), wide = int64_t(trains.shape(3)),
                   channels = int64_t(trains.shape(4));
        check_reach(w, int64_t(out.shape(2)), int64_t(out.shape(3)), high, wide);
        inputs += int64_t(w.height) * w.width * channels;
        found.patches.push_back(
            {trains.data(), int32_t(channels), int32_t(high), int32_t(wide), w});
    }
    const auto chunks = int64_t(digits.shape(1));
    check(int64_t(digits.shape(0)) * 16 == padded && digits.shape(2) == 3 &&
              digits.shape(3) == 1024,
          "matrix: digits [padded channels / 16, inputs / 64, 3, 1024]");
    check(int64_t(units.shape(0)) == padded, "matrix: one unit per channel of the table");
    // Sums of 127 spikes times digits of 128 stay in 32 bits.
    check(inputs <= chunks * 64 && inputs <= (int64_t(1) << 17), "matrix: inputs without digits");
    found.matrix = {digits.data(), units.data(), chunks, nullptr, int32_t(found.patches.size())};
    return found;
}

// mixed: (lists, window, first row, from, to); channelwise: (trains, window, weights); on_matrix:
// what is received in place of mixed
bool py_fire(Array<int8_t, 5> out, Array<float, 4> v, Array<const float, 3> table,
             Array<const float, 1> bias, Array<const float, 1> theta,
             std::optional<Array<const float, 2>> drift,
             std::optional<Array<const float, 4>> steady,
             std::optional<Array<const float, 5>> frames, const std::vector<nb::tuple>& mixed,
             const std::vector<nb::tuple>& channelwise, const Neuron& neuron,
             std::optional<Array<const float, 4>> v0, std::optional<Array<float, 4>> sent,
             bool scatter, const std::optional<nb::tuple>& on_matrix, int threads) {
    const int64_t steps = int64_t(out.shape(0)), batch = int64_t(out.shape(1)),
                  height = int64_t(out.shape(2)), width = int64_t(out.shape(3)),
                  channels = int64_t(out.shape(4));
    const int64_t blocks = int64_t(table.shape(0)), rows = int64_t(table.shape(1)) - 1,
                  block = int64_t(table.shape(2)), padded = blocks * block;
    for (int i = 0; i < 4; ++i) check(v.shape(i) == out.shape(i + 1), "v: [B, H, W, C] of out");
    const int64_t vectors = block / kernels().lanes;
    check(block == vectors * kernels().lanes && (vectors == 1 || vectors == 2 || vectors == 4),
          "table: a block is 1, 2 or 4 vectors");
    check(padded >= channels && padded - channels < block, "table: blocks for all channels");
    check(!scatter || blocks == 1, "scatter: one block");
    check(rows >= 0 && (rows + 1) * block < (int64_t(1) << 30), "table: too large");
    check(int64_t(bias.shape(0)) == padded && int64_t(theta.shape(0)) == padded,
          "bias, theta: one per channel of the table");
    if (drift)
        check(int64_t(drift->shape(0)) == steps && int64_t(drift->shape(1)) == padded,
              "drift: [T, channels of the table]");
    check(sent.has_value() == (neuron.kind == Kind::paired), "sent: of paired neurons");
    if (sent)
        for (int i = 0; i < 4; ++i)
            check(sent->shape(i) == out.shape(i + 1), "sent: [B, H, W, C] of out");
    if (v0)
        for (int i = 0; i < 4; ++i)
            check(v0->shape(i) == out.shape(i + 1) || (i == 0 && v0->shape(i) == 1),
                  "v0: [B or 1, H, W, C] of out");
    if (steady)
        for (int i = 0; i < 4; ++i)
            check(steady->shape(i) == out.shape(i + 1), "steady: [B, H, W, C] of out");
    if (frames)
        for (int i = 0; i < 5; ++i)
            check(frames->shape(i) == out.shape(i), "frames: [T, B, H, W, C] of out");
    std::vector<Mixed> walked;
    int64_t longest = 0;
    for (const nb::tuple& each : mixed) {
        const auto& from = nb::cast<const PyLists&>(each[0]);
        const Window w = window(nb::cast<Geometry>(each[1]));
        const int64_t first = nb::cast<int64_t>(each[2]), start = nb::cast<int64_t>(each[3]),
                      end = nb::cast<int64_t>(each[4]);
        check(start >= 0 && end <= padded && start % block == 0 && end % block == 0,
              "mixed: whole blocks of the table");
        check(!scatter || (start == 0 && end == padded), "scatter: all channels");
        check(from.frames == steps * batch, "lists: the frames of out");
        check_reach(w, height, width, from.lists.height, from.lists.width);
        check(first >= 0 && first + int64_t(w.height) * w.width * from.lists.channels <= rows,
              "lists: rows that the table does not have");
        check(!scatter || (w.step_y == 1 && w.step_x == 1), "scatter: a window without holes");
        longest += int64_t(w.height) * w.width * from.lists.channels * from.lists.most;
        walked.push_back({from.lists, w, int32_t(start), int32_t(end), first});
    }
    std::vector<Channelwise> local;
    for (const nb::tuple& each : channelwise) {
        const auto trains = nb::cast<Array<const int8_t, 5>>(each[0]);
        const Window w = window(nb::cast<Geometry>(each[1]));
        const auto weights = nb::cast<Array<const float, 2>>(each[2]);
        check(trains.shape(0) == out.shape(0) && trains.shape(1) == out.shape(1) &&
                  trains.shape(4) == out.shape(4),
              "trains: frames and channels of out");
        check_reach(w, height, width, int64_t(trains.shape(2)), int64_t(trains.shape(3)));
        const bool pixel =
            w.height * w.width * w.stride_y * w.stride_x == 1 && w.pad_y + w.pad_x == 0;
        check(!pixel || (int64_t(trains.shape(2)) == height && int64_t(trains.shape(3)) == width),
              "trains: height and width of out, for a window of one pixel");
        check(int64_t(weights.shape(0)) == int64_t(w.height) * w.width &&
                  int64_t(weights.shape(1)) == padded,
              "trains: weights [window, padded channels]");
        local.push_back({trains.data(), int32_t(trains.shape(2)), int32_t(trains.shape(3)), w,
                         weights.data()});
    }
    const Layer layer{steps, batch, int32_t(height), int32_t(width), int32_t(channels),
                      int32_t(block), padded, rows, table.data(), bias.data(), theta.data(),
                      drift ? drift->data() : nullptr, steady ? steady->data() : nullptr,
                      frames ? frames->data() : nullptr, walked.data(), int32_t(walked.size()),
                      local.data(), int32_t(local.size()), neuron, scatter,
                      v0 ? v0->data() : nullptr, v0 ? int64_t(v0->shape(0)) : 1, v.data(),
                      sent ? sent->data() : nullptr, out.data(), longest};
#if defined(ISOSPIKE_MATRIX)
    if (on_matrix) {
        check(mixed.empty(), "matrix: in place of mixed");
        PyMatrix given = matrix(*on_matrix, out, padded);
        given.matrix.patches = given.patches.data();
        nb::gil_scoped_release release;
        return fire_on_matrix(layer, given.matrix, threads);
    }
#endif
    check(!on_matrix, "matrix: built without");
    nb::gil_scoped_release release;
    return kernels().fire(layer, threads);
}

void py_count(Array<const int8_t, 2> trains, Array<int64_t, 1> counts, int threads) {
    check(trains.shape(1) == counts.shape(0), "counts: one per neuron");
    nb::gil_scoped_release release;
    kernels().count(trains.data(), int64_t(trains.shape(0)), int64_t(trains.shape(1)),
                    counts.data(), threads);
}

}  // namespace

void bind(nb::module_& module) {
    nb::class_<PyLists>(module, "Lists")
        .def(nb::init<Array<uint16_t, 1>, Array<int32_t, 3>, int64_t, int64_t>(),
             nb::arg("entries").noconvert(), nb::arg("offsets").noconvert(), nb::arg("channels"),
             nb::arg("most"));
    nb::class_<Neuron>(module, "Neuron")
        .def("__init__",
             [](Neuron* self, bool hard, float leak, float cap, bool paired, float low, float back,
                float least, float most) {
                 new (self) Neuron(neuron(hard, leak, cap, paired, low, back, least, most));
             },
             nb::kw_only(), nb::arg("hard") = false, nb::arg("leak") = 1.0f, nb::arg("cap") = 1.0f,
             nb::arg("paired") = false, nb::arg("low") = 0.0f, nb::arg("back") = 1.0f,
             nb::arg("least") = 0.0f, nb::arg("most") = 0.0f);
    module.def("lanes", [] { return kernels().lanes; });
    module.def("list", &py_list, nb::arg("trains").noconvert(), nb::arg("channels"),
               nb::arg("first"), nb::arg("minus"), nb::arg("lists"), nb::arg("threads"));
    module.def("pool", &py_pool, nb::arg("lists"), nb::arg("window"), nb::arg("pooled"),
               nb::arg("threads"));
    module.def("sum", &py_sum, nb::arg("trains").noconvert(), nb::arg("window"),
               nb::arg("sums").noconvert(), nb::arg("threads"));
    module.def("fire", &py_fire, nb::arg("out").noconvert(), nb::arg("v").noconvert(),
               nb::arg("table").noconvert(), nb::arg("bias").noconvert(),
               nb::arg("theta").noconvert(), nb::arg("drift").noconvert().none(),
               nb::arg("steady").noconvert().none(), nb::arg("frames").noconvert().none(),
               nb::arg("mixed"), nb::arg("channelwise"), nb::arg("neuron"),
               nb::arg("v0").noconvert().none(), nb::arg("sent").noconvert().none(), nb::arg("scatter"),
               nb::arg("on_matrix").none(), nb::arg("threads"));
    module.def("matrix_unit", &matrix_unit);
    module.def("count", &py_count, nb::arg("trains").noconvert(), nb::arg("counts").noconvert(),
               nb::arg("threads"));
}

}  // namespace isospike::events
