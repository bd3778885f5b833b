// The clipped and quantised activation of training (clip_quant.py), with one clip for all values.
// Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

#include "bfloat16.hpp"

namespace isospike {

struct Values : Numbers {
    int64_t n;
};

struct Clip {
    float theta;
    int levels;  // 0: not quantised
    float shift, slip;
};

// u = clamp(z / theta, 0, 1),  q = floor(u L + shift) / L;  a = theta (slip u + (1 - slip) q),
// or theta u without levels. Floats: with the roundings of plain torch.
void clip_quant(const Values& z, const Clip& clip, const Values& a, int threads);

// gz = g where 0 < z < theta, else 0. Returns sum(g a - gz z), theta times the gradient of theta,
// added up in the same order whatever the number of threads.
double clip_quant_back(const Values& g, const Values& z, const Values& a, float theta,
                       const Values& gz, int threads);

// Integrate and fire, soft reset, over z [T, n] from v0:  v += z / theta;  s = v >= 1;  v -= s.
// out [T, n] gets s theta, and rate [n] the mean over the steps.
void clip_spikes(const Values& z, int64_t steps, float theta, float v0, const Values& out,
                 const Values& rate, int threads);

}  // namespace isospike
