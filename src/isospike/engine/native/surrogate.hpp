// Neurons over time with what their gradient needs. Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

#include "bfloat16.hpp"

namespace isospike {

enum class Surrogate : int { triangle, rectangle, arctan };

// N neurons, threshold 1:  u(t) = k v(t-1) + (z(t) + b(t)) / theta;  s = u >= 1;
// soft: v = u - s, hard: v = 0 where s;  out = s theta.
//   z     [T, B, N], frames z.stride numbers apart (0: one frame held); bias [T, N] likewise
//   out   [T, B, N];  u [T, B, N], both written
// z, out and their gradients are floats or bfloat16; all else is float.
struct Frames : Numbers {
    int64_t stride;
};

struct Charge {
    const float* theta;
    const float* v0;
    const float* bias;
    int64_t bias_stride;
    float leak;
    bool hard;
    int64_t steps, batch, count;
};

void fire(const Charge& at, const Frames& z, const Frames& out, float* u, int threads);

// The gradient: ds/du = h(u), everything else exact, the reset included.
//   g     dL/d out [T, B, N];  m: dL/d (mean of out over time) [B, N]
//   z     dL/d z, written (stride 0: summed over time)
//   gtheta, gv0, gleak [N] and gbias [T, N] (bias_stride 0: [N]), added to
struct Gradients {
    Frames z;
    float* theta;
    float* v0;
    float* bias;
    float* leak;
};

void fire_back(const Charge& at, const float* u, const Frames& g, const float* m, Surrogate kind,
               float width, const Gradients& to, int threads);

}  // namespace isospike
