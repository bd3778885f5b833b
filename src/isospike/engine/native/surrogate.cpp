#include "surrogate.hpp"

#include <algorithm>
#include <cmath>

#include "neurons.hpp"

namespace isospike {
namespace {

constexpr int64_t BLOCK = 256;  // membranes of a block stay in the first cache

template <bool hard>
INLINE float after(float u) {
    const float s = u >= 1.0f ? 1.0f : 0.0f;
    return hard ? (u >= 1.0f ? 0.0f : u) : u - s;
}

template <bool hard>
INLINE void forward(const float* z, const float* theta, const float* bias, float leak, float* v,
                    float* out, float* u, int64_t n) {
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float kept = leak == 1.0f ? v[i] : v[i] * leak;
        const float drive = (z[i] + bias[i]) / theta[i];
        const float at = kept + drive;
        u[i] = at;
        out[i] = at >= 1.0f ? theta[i] : 0.0f;
        v[i] = after<hard>(at);
    }
}

EVERY_WIDTH void charge(const float* z, const float* theta, const float* bias, float leak,
                        bool hard, float* v, float* out, float* u, int64_t n) {
    if (hard) {
        forward<true>(z, theta, bias, leak, v, out, u, n);
    } else {
        forward<false>(z, theta, bias, leak, v, out, u, n);
    }
}

template <Surrogate kind>
INLINE float slope(float u, float width) {
    const float x = std::fabs(u - 1.0f);
    if (kind == Surrogate::triangle) return std::max(0.0f, 1.0f - x / width) / width;
    if (kind == Surrogate::rectangle) return x < 0.5f * width ? 1.0f / width : 0.0f;
    const float y = 3.14159265f * x / width;
    return 1.0f / (width * (1.0f + y * y));
}

// Rows of one step. `before` is u of the step before, or v0 at the first.
struct Rows {
    const float *u, *before, *g, *m, *theta;
    float *v, *z, *gtheta, *gbias, *gleak;
};

template <Surrogate kind, bool hard, bool first>
INLINE void backward(const Rows& at, float leak, float share, float width, int64_t n) {
    EACH_ALONE
    for (int64_t i = 0; i < n; ++i) {
        const float u = at.u[i], s = u >= 1.0f ? 1.0f : 0.0f;
        const float v = first ? at.before[i] : after<hard>(at.before[i]);
        const float g = at.g[i] + at.m[i] * share;
        const float ds = at.theta[i] * g - (hard ? at.v[i] * u : at.v[i]);
        const float du = (hard ? at.v[i] * (1.0f - s) : at.v[i]) + slope<kind>(u, width) * ds;
        const float dz = du / at.theta[i];
        at.gtheta[i] += g * s - dz * (u - leak * v);
        at.gbias[i] += dz;
        at.gleak[i] += du * v;
        at.z[i] += dz;
        at.v[i] = leak * du;
    }
}

template <Surrogate kind>
INLINE void with(const Rows& at, float leak, float share, float width, bool hard, bool first,
                 int64_t n) {
    if (hard) {
        first ? backward<kind, true, true>(at, leak, share, width, n)
              : backward<kind, true, false>(at, leak, share, width, n);
    } else {
        first ? backward<kind, false, true>(at, leak, share, width, n)
              : backward<kind, false, false>(at, leak, share, width, n);
    }
}

EVERY_WIDTH void back(const Rows& at, Surrogate kind, float leak, float share, float width,
                      bool hard, bool first, int64_t n) {
    switch (kind) {
        case Surrogate::triangle:
            return with<Surrogate::triangle>(at, leak, share, width, hard, first, n);
        case Surrogate::rectangle:
            return with<Surrogate::rectangle>(at, leak, share, width, hard, first, n);
        case Surrogate::arctan:
            return with<Surrogate::arctan>(at, leak, share, width, hard, first, n);
    }
}

}  // namespace

void fire(const Charge& at, const Frames& z, const Frames& out, float* u, int threads) {
    const int64_t frame = at.batch * at.count;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < at.count; first += BLOCK) {
        const int64_t n = std::min(BLOCK, at.count - first);
        float v[BLOCK], drive[BLOCK], sent[BLOCK];
        for (int64_t b = 0; b < at.batch; ++b) {
            const int64_t here = b * at.count + first;
            std::copy_n(at.v0 + first, n, v);
            for (int64_t t = 0; t < at.steps; ++t) {
                const float* in = read(z, t * z.stride + here, drive, n);
                charge(in, at.theta + first, at.bias + t * at.bias_stride + first, at.leak,
                       at.hard, v, sent, u + t * frame + here, n);
                write(sent, out, t * out.stride + here, n);
            }
        }
    }
}

void fire_back(const Charge& at, const float* u, const Frames& g, const float* m, Surrogate kind,
               float width, const Gradients& to, int threads) {
    const int64_t frame = at.batch * at.count;
    const float share = 1.0f / float(at.steps);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < at.count; first += BLOCK) {
        const int64_t n = std::min(BLOCK, at.count - first);
        float v[BLOCK], z[BLOCK], came[BLOCK];
        for (int64_t b = 0; b < at.batch; ++b) {
            const int64_t here = b * at.count + first;
            std::fill_n(v, n, 0.0f);
            std::fill_n(z, n, 0.0f);
            for (int64_t t = at.steps - 1; t >= 0; --t) {
                const float* now = u + t * frame + here;
                const Rows rows{now, t ? now - frame : at.v0 + first,
                                read(g, t * g.stride + here, came, n), m + here, at.theta + first,
                                v, z, to.theta + first, to.bias + t * at.bias_stride + first,
                                to.leak + first};
                back(rows, kind, at.leak, share, width, at.hard, t == 0, n);
                if (to.z.stride || t == 0) {
                    write(z, to.z, t * to.z.stride + here, n);
                    std::fill_n(z, n, 0.0f);
                }
            }
            for (int64_t i = 0; i < n; ++i) to.v0[first + i] += v[i];
        }
    }
}

}  // namespace isospike
