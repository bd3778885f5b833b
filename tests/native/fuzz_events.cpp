// Layers of random shapes and densities by every kernel that this processor can run, against plain
// loops. Weights are eighths, so that every order of additions gives the same membranes. Built with
// sanitizers by `make fuzz`; arrays are on the heap and no longer than they must be.
//
//     fuzz_events [layers] [seed]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "events.hpp"

using namespace isospike::events;

namespace {

std::mt19937 generator;

int pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(generator); }

float eighths() { return float(pick(-8, 8)) / 8.0f; }

// Trains of at most `most` spikes a step, and as many taken back if `sign`. A mixed source sends
// from its channels first .. first + count - 1 to the channels from .. to - 1 of the site.
struct Source {
    int channels, height, width;
    Window window;
    int most, first, count, from, to;
    bool sign;
    std::vector<int8_t> trains;
    std::vector<float> weights;  // mixed: [channels out, count, taps], else [channels, taps]
    std::vector<uint16_t> entries[2];  // of spikes sent, taken back
    std::vector<int32_t> offsets[2];
};

int outside(int inside, int size, int stride, int pad, int step) {
    return (inside + 2 * pad - step * (size - 1) - 1) / stride + 1;
}

Window any_window(bool holes) {
    return {pick(1, 3), pick(1, 3), pick(1, 2), pick(1, 2), pick(0, 2), pick(0, 2),
            holes ? pick(1, 2) : 1, holes ? pick(1, 2) : 1};
}

// What the neuron (y, x, o) gets from a source in one frame.
float received(const Source& s, bool mixed, int64_t frame, int y, int x, int o) {
    float sum = 0;
    const Window& w = s.window;
    for (int ky = 0; ky < w.height; ++ky) {
        for (int kx = 0; kx < w.width; ++kx) {
            const int row = y * w.stride_y - w.pad_y + ky * w.step_y;
            const int column = x * w.stride_x - w.pad_x + kx * w.step_x;
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            const int8_t* at =
                s.trains.data() + ((frame * s.height + row) * s.width + column) * s.channels;
            const int tap = ky * w.width + kx, taps = w.height * w.width;
            if (!mixed) {
                sum += at[o] * s.weights[o * taps + tap];
                continue;
            }
            for (int c = 0; c < s.count && o >= s.from && o < s.to; ++c)
                sum += at[s.first + c] * s.weights[(o * s.count + c) * taps + tap];
        }
    }
    return sum;
}

Source any_source(int steps, int batch, int height, int width, int channels, Window w) {
    const int first = pick(0, 1) ? 0 : pick(0, channels - 1), most = pick(0, 1) ? 1 : pick(1, 5);
    const int count = first || pick(0, 1) ? pick(1, channels - first) : channels;
    Source s{channels, height, width, w, most, first, count, 0, 1 << 20, pick(0, 1) == 1, {}, {}, {},
             {}};
    const int64_t size = int64_t(steps) * batch * height * width * channels;
    s.trains.resize(size + PADDING);
    const int rate = pick(0, 3) ? pick(0, 40) : 100;
    for (int64_t i = 0; i < size; ++i)
        if (pick(1, 100) <= rate) s.trains[i] = int8_t(pick(s.sign ? -most : 1, most));
    return s;
}

Lists lists(const Kernels& kernels, Source& s, int64_t frames, bool minus) {
    const int64_t capacity = int64_t(s.width) * s.count * s.most + SLACK;
    s.entries[minus].resize(frames * s.height * capacity + PADDING);
    s.offsets[minus].resize(frames * s.height * (s.width + 1));
    const Lists made{s.entries[minus].data(), s.offsets[minus].data(), capacity, s.count, s.height,
                     s.width, s.most};
    kernels.list(s.trains.data(), frames * s.height, {s.channels, s.first, minus}, made,
                 pick(1, 3));
    return made;
}

Neuron any_neuron() {
    Neuron n{Kind(pick(0, 2)), pick(0, 1) == 1, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, INFINITY};
    if (n.kind == Kind::graded) {
        n.cap = float(pick(1, 4));
        n.leak = pick(0, 1) ? 0.5f : 1.0f;
    } else if (n.kind == Kind::paired) {
        n.low = float(pick(0, 2)) / 2.0f;
        n.cap = float(pick(1, 4));
        if (pick(0, 1)) n.most = float(pick(1, 6));
        if (pick(0, 3) == 0) n = {n.kind, false, 1.0f, 1.0f, n.low, 2.0f, -INFINITY, INFINITY};
    }
    return n;
}

// Spikes of one step by the equations of events.hpp.
int fire(const Neuron& n, float drive, float& v, float& sent) {
    v = (n.kind == Kind::graded ? n.leak * v : v) + drive;
    const auto clip = [&](float x) { return std::fmin(std::fmax(x, 0.0f), n.cap); };
    if (n.kind != Kind::paired) {
        const float spikes = clip(std::floor(v));
        v = n.hard ? (spikes > 0 ? 0.0f : v) : v - spikes;
        return int(spikes);
    }
    const float up = std::fmin(clip(std::floor(v)), n.most - sent);
    const float spikes = up - std::fmin(clip(std::ceil(-n.low - v)), sent - n.least);
    v -= spikes < 0 && n.back != 1.0f ? -n.back : spikes;
    sent += spikes;
    return int(spikes);
}

#if defined(ISOSPIKE_MATRIX)
// The weights of all mixed sources in three digits: eighths are whole numbers of units of 2^-13.
struct Digits {
    std::vector<int8_t> digits;
    std::vector<float> units;
    std::vector<Patch> patches;
    std::vector<std::vector<int8_t>> trains;  // of the picked channels alone
    int64_t chunks;
};

Digits digits(const std::vector<Source>& mixed, int64_t frames, int channels, int padded) {
    Digits found;
    int64_t inputs = 0;
    for (const Source& s : mixed) inputs += int64_t(s.window.height) * s.window.width * s.count;
    found.chunks = (inputs + 63) / 64;
    found.units.assign(padded, 1.0f / 8192);
    found.digits.resize(padded / 16 * found.chunks * 3 * 1024);
    int64_t k = 0;
    for (const Source& s : mixed) {
        const int taps = s.window.height * s.window.width;
        for (int tap = 0; tap < taps; ++tap)
            for (int c = 0; c < s.count; ++c, ++k)
                for (int o = 0; o < channels; ++o) {
                    int w = int(s.weights[(int64_t(o) * s.count + c) * taps + tap] * 8192);
                    for (int digit = 2; digit >= 0; --digit) {
                        const int low = ((w + 128) & 255) - 128;
                        found.digits[((o / 16 * found.chunks + k / 64) * 3 + digit) * 1024 +
                                     k % 64 / 4 * 64 + o % 16 * 4 + k % 4] = int8_t(low);
                        w = (w - low) / 256;
                    }
                }
        auto& picked = found.trains.emplace_back();
        for (int64_t i = 0; i < frames * s.height * s.width; ++i)
            for (int c = 0; c < s.count; ++c)
                picked.push_back(s.trains[i * s.channels + s.first + c]);
    }
    for (size_t i = 0; i < mixed.size(); ++i)
        found.patches.push_back({found.trains[i].data(), mixed[i].count, mixed[i].height,
                                 mixed[i].width, mixed[i].window});
    return found;
}
#endif

bool layer(const Kernels& kernels, const char* name) {
    // One in four is simple: plain neurons, whole vectors, nothing but spikes and what stands still.
    const bool easy = pick(0, 3) == 0;
    const int steps = pick(1, 9), batch = pick(1, 3);
    const int channels = easy ? 16 : pick(1, 4 * kernels.lanes + 3);
    const int wanted[] = {1, 2, 4};
    int block = easy ? 16 : kernels.lanes * wanted[pick(0, 2)];
    const int blocks = (channels + block - 1) / block, padded = blocks * block;
    const bool scatter = blocks == 1 && (easy || pick(0, 1));
    Neuron neuron = any_neuron();
    if (easy) neuron = {Kind::plain, pick(0, 1) == 1, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, INFINITY};
    const int64_t frames = int64_t(steps) * batch;
    // The first source makes the size of the map; the second must fit it.
    int height = 0, width = 0;
    std::vector<Source> mixed, local;
    while (height < 1 || width < 1) {
        mixed.clear();
        mixed.push_back(any_source(steps, batch, pick(1, 9), pick(1, 9),
                                   pick(0, 1) ? pick(1, 40) : 16 * pick(1, 3),
                                   any_window(!scatter)));
        const Window& w = mixed[0].window;
        height = outside(mixed[0].height, w.height, w.stride_y, w.pad_y, w.step_y);
        width = outside(mixed[0].width, w.width, w.stride_x, w.pad_x, w.step_x);
    }
    if (pick(0, 1))
        mixed.push_back(any_source(steps, batch, height * 2, width * 2, pick(1, 9),
                                   {1, 1, 2, 2, 0, 0, 1, 1}));
    if (pick(0, 1))
        local.push_back(any_source(steps, batch, height, width, channels, {1, 1, 1, 1, 0, 0, 1, 1}));
    if (!easy && pick(0, 1))
        local.push_back(any_source(steps, batch, height, width, channels, {3, 3, 1, 1, 1, 1, 1, 1}));

    int64_t rows = 0, longest = 0;
    for (Source& s : mixed) {
        const int64_t own = int64_t(s.window.height) * s.window.width * s.count * (s.sign ? 2 : 1);
        rows += own;
        longest += own * s.most;
        s.from = blocks > 1 ? block * pick(0, blocks - 1) : 0;
        s.to = blocks > 1 ? block * pick(s.from / block + 1, blocks) : padded;
    }
    const int64_t table_size = int64_t(blocks) * (rows + 1) * block;
    std::unique_ptr<float[]> table(new float[table_size]());
    std::vector<Mixed> walked;
    std::vector<Channelwise> beside;
    std::vector<std::vector<float>> local_weights;
    int64_t first = 0;
    for (Source& s : mixed) {
        const int taps = s.window.height * s.window.width;
        s.weights.resize(int64_t(channels) * s.count * taps);
        for (float& w : s.weights) w = eighths();
        for (int minus = 0; minus <= s.sign; ++minus) {
            for (int o = 0; o < channels; ++o)
                for (int c = 0; c < s.count; ++c)
                    for (int tap = 0; tap < taps; ++tap) {
                        const int64_t row = first + (scatter ? c * taps + tap : tap * s.count + c);
                        const float w = s.weights[(int64_t(o) * s.count + c) * taps + tap];
                        table[(o / block * (rows + 1) + row) * block + o % block] = minus ? -w : w;
                    }
            walked.push_back({lists(kernels, s, frames, minus), s.window, s.from, s.to, first});
            first += int64_t(taps) * s.count;
        }
    }
    for (Source& s : local) {
        const int taps = s.window.height * s.window.width;
        s.weights.resize(channels * taps);
        for (float& w : s.weights) w = eighths();
        local_weights.emplace_back(int64_t(taps) * padded);
        for (int o = 0; o < channels; ++o)
            for (int tap = 0; tap < taps; ++tap)
                local_weights.back()[int64_t(tap) * padded + o] = s.weights[o * taps + tap];
    }
    for (size_t i = 0; i < local.size(); ++i)
        beside.push_back({local[i].trains.data(), height, width, local[i].window,
                          local_weights[i].data()});

    const int64_t neurons = int64_t(height) * width * channels, images = pick(0, 1) ? 1 : batch;
    std::vector<float> bias(padded), theta(padded, 2.0f), steady(batch * neurons),
        drive(frames * neurons), v(batch * neurons, 0.5f), expected(v), sent(v.size(), 0.0f),
        total(sent), drift(int64_t(steps) * padded), v0(images * neurons, 0.5f);
    for (int c = 0; c < channels; ++c) bias[c] = eighths();
    for (float& d : drift) d = eighths();
    for (float& d : steady) d = eighths();
    for (float& d : drive) d = eighths();
    std::vector<int8_t> out(frames * neurons);
    const bool with_steady = pick(0, 1), with_frames = !easy && pick(0, 1),
               with_drift = !easy && pick(0, 1);
    const bool paired = neuron.kind == Kind::paired, begins = pick(0, 1);
    for (int64_t i = 0; begins && i < batch * neurons; ++i) {
        const int64_t from = i % int64_t(v0.size());
        if (from == i) v0[i] = 0.5f + eighths();
        expected[i] = v0[from];
        v[i] = sent[i] = 7.0f;  // whatever was there before
    }
    const Layer all{steps, batch, height, width, channels, block, padded, rows, table.get(),
                    bias.data(), theta.data(), with_drift ? drift.data() : nullptr, with_steady ? steady.data() : nullptr,
                    with_frames ? drive.data() : nullptr, walked.data(), int32_t(walked.size()),
                    beside.data(), int32_t(beside.size()), neuron, scatter,
                    begins ? v0.data() : nullptr, images, v.data(), paired ? sent.data() : nullptr,
                    out.data(), longest};
    bool whole = true;
    for (const Source& s : mixed) whole = whole && s.from == 0 && s.to >= channels;
    bool sound;
#if defined(ISOSPIKE_MATRIX)
    if (whole && &kernels == &level5 && matrix_unit() && pick(0, 1)) {
        name = "matrix unit";
        const Digits d = digits(mixed, frames, channels, padded);
        Layer alone = all;
        alone.mixed_count = 0;
        sound = fire_on_matrix(alone, {d.digits.data(), d.units.data(), d.chunks, d.patches.data(),
                                       int32_t(d.patches.size())}, pick(1, 3));
    } else
#endif
        sound = kernels.fire(all, pick(1, 3));
    if (!sound) {
        std::printf("%s: finite membranes are told to be none\n", name);
        return false;
    }

    for (int t = 0; t < steps; ++t)
        for (int b = 0; b < batch; ++b)
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    for (int o = 0; o < channels; ++o) {
                        const int64_t frame = int64_t(t) * batch + b;
                        const int64_t n = (int64_t(y) * width + x) * channels + o;
                        float u = bias[o];
                        if (with_drift) u += drift[int64_t(t) * padded + o];
                        if (with_steady) u += steady[b * neurons + n];
                        if (with_frames) u += drive[frame * neurons + n] / 2.0f;
                        for (const Source& s : mixed)
                            u += received(s, true, frame, y, x, o);
                        for (const Source& s : local)
                            u += received(s, false, frame, y, x, o);
                        const int64_t i = b * neurons + n;
                        const int spikes = fire(neuron, u, expected[i], total[i]);
                        if (out[frame * neurons + n] != int8_t(spikes)) {
                            std::printf("%s: T%d B%d %dx%dx%d block %d %s, kind %d: step %d neuron "
                                        "%lld\n", name, steps, batch, channels, height, width, block,
                                        scatter ? "scatter" : "collect", int(neuron.kind), t,
                                        (long long)n);
                            return false;
                        }
                    }
    if (v != expected || (paired && sent != total)) {
        std::printf("%s: membranes differ\n", name);
        return false;
    }

    // Pooling and counting, on the spikes that the first source sends.
    Source& s = mixed[0];
    const Window pool{pick(1, 2), pick(1, 2), 1, 1, 0, 0, 1, 1};
    if (pool.height > s.height || pool.width > s.width) return true;
    const int high = s.height - pool.height + 1, wide = s.width - pool.width + 1;
    const int most = pool.height * pool.width * s.most;
    const int64_t capacity = int64_t(most) * wide * s.count + SLACK;
    std::vector<uint16_t> entries(frames * high * capacity + PADDING);
    std::vector<int32_t> offsets(frames * high * (wide + 1));
    const Lists pooled{entries.data(), offsets.data(), capacity, s.count, high, wide, most};
    kernels.pool(walked[0].lists, frames, pool, pooled, 2);
    for (int64_t line = 0; line < frames * high; ++line) {
        std::vector<int> found(wide * s.count);
        const int32_t* at = offsets.data() + line * (wide + 1);
        for (int i = at[0]; i < at[wide]; ++i) ++found[entries[i]];
        for (int x = 0; x < wide; ++x)
            for (int c = 0; c < s.count; ++c) {
                int sum = 0;
                for (int ky = 0; ky < pool.height; ++ky)
                    for (int kx = 0; kx < pool.width; ++kx)
                        sum += std::max<int>(0, s.trains[
                            ((line / high * s.height + line % high + ky) * s.width + x + kx) *
                                s.channels + s.first + c]);
                if (found[x * s.count + c] != sum) {
                    std::printf("%s: pooled lists differ\n", name);
                    return false;
                }
            }
    }
    std::vector<int8_t> sums(frames * high * wide * s.channels);
    kernels.sum(s.trains.data(), frames, s.height, s.width, s.channels, pool, sums.data(), high,
                wide, 2);
    for (int64_t i = 0; i < int64_t(sums.size()); ++i) {
        const int64_t c = i % s.channels, x = i / s.channels % wide, line = i / s.channels / wide;
        int sum = 0;
        for (int ky = 0; ky < pool.height; ++ky)
            for (int kx = 0; kx < pool.width; ++kx)
                sum += s.trains[((line / high * s.height + line % high + ky) * s.width + x + kx) *
                                    s.channels + c];
        if (sums[i] != sum) {
            std::printf("%s: sums of windows differ\n", name);
            return false;
        }
    }
    const int64_t size = int64_t(s.height) * s.width * s.channels;
    std::vector<int64_t> counts(size), sent_by(size);
    kernels.count(s.trains.data(), frames, size, counts.data(), 2);
    for (int64_t i = 0; i < frames * size; ++i) sent_by[i % size] += std::abs(s.trains[i]);
    if (counts != sent_by) std::printf("%s: counts differ\n", name);
    return counts == sent_by;
}

}  // namespace

int main(int count, char** words) {
    const int layers = count > 1 ? std::atoi(words[1]) : 300;
    generator.seed(count > 2 ? std::atoi(words[2]) : 0);
    for (int i = 0; i < layers; ++i) {
        bool good = layer(baseline, "baseline");
#if defined(ISOSPIKE_X86_LEVELS)
        if (&kernels() != &baseline) good = layer(level3, "level3") && good;
        if (&kernels() == &level4 || &kernels() == &level5)
            good = layer(level4, "level4") && good;
        if (&kernels() == &level5) good = layer(level5, "level5") && good;
#endif
        if (!good) return 1;
    }
    std::printf("%d layers: no difference\n", layers);
}
