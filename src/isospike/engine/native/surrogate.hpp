// Neurons over time with what their gradient needs. Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

namespace isospike {

enum class Surrogate : int { triangle, rectangle, arctan };

// N neurons, threshold 1:  u(t) = k v(t-1) + (z(t) + b(t)) / theta;  s = u >= 1;
// soft: v = u - s, hard: v = 0 where s;  out = s theta.
//   z     [T, B, N], frames z_stride floats apart (0: one frame held); bias [T, N] likewise
//   out   [T, B, N];  u [T, B, N], both written
struct Charge {
    const float* theta;
    const float* v0;
    const float* bias;
    int64_t bias_stride;
    float leak;
    bool hard;
    int64_t steps, batch, count;
};

void fire(const Charge& at, const float* z, int64_t z_stride, float* out, float* u, int threads);

// The gradient: ds/du = h(u), everything else exact, the reset included.
//   g     dL/d out [T, B, N], frames g_stride apart;  m: dL/d (mean of out over time) [B, N]
//   gz    dL/d z, added to, frames gz_stride apart (0: summed over time)
//   gtheta, gv0, gleak [N] and gbias [T, N] (bias_stride 0: [N]), added to
struct Gradients {
    float* z;
    int64_t z_stride;
    float* theta;
    float* v0;
    float* bias;
    float* leak;
};

void fire_back(const Charge& at, const float* u, const float* g, int64_t g_stride, const float* m,
               Surrogate kind, float width, const Gradients& to, int threads);

}  // namespace isospike
