// Neurons over time, one pass over memory. Plain C++: no Python and no torch in here.
#pragma once

#include <cstdint>

// One version of a function per vector width, chosen when the library is loaded. Elsewhere the
// compiler's baseline serves (NEON on ARM64).
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define EVERY_WIDTH __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EVERY_WIDTH
#endif

// The arrays of a loop may be one and the same, but no turn reads what another has written.
#if defined(__clang__)
#define EACH_ALONE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define EACH_ALONE _Pragma("GCC ivdep")
#else
#define EACH_ALONE
#endif

// Into the version for each width.
#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

namespace isospike {

// A parameter of N neurons: a number for each of `values` equal runs of neurons in memory order, so
// for all of them (1), for each channel, or for each neuron (N).
struct Parameter {
    const float* at;
    int64_t values;
};

struct Neurons {
    Parameter theta, bias, amplitude, v0;
    int64_t count;
};

// Integrate and fire (units/kernel.py): v += (z + bias) / theta;  s = v >= 1;  soft: v -= s,
// hard: v = 0 where s;  out = s * amplitude.
//   z        [T, B, N], frames `z_stride` floats apart (0: one frame [B, N] held for all steps)
//   out      [T, B, N]; may be z
//   v        [B, N], in units of theta, read and written
//   readings ascending, the last is T; counts[r][n] gets the spikes of neuron n over the batch in
//            the steps after reading r - 1 and up to r
// What a neuron starts from is in v; neurons.v0 is not used, but has a value as every Parameter.
void integrate_and_fire(const float* z, int64_t z_stride, float* out, float* v,
                        const Neurons& neurons, bool hard, int64_t batch, const int64_t* readings,
                        int64_t readings_count, int64_t* counts, int threads);

// The same neurons from v = v0, counted alone: out[b][n] gets the spikes of all T = `steps`.
void count_spikes(const float* z, int64_t z_stride, float* out, const Neurons& neurons, bool hard,
                  int64_t steps, int64_t batch, int threads);

// Radix code of an accumulated total (units/radix.py), base 1 or 2, without the train:
//   code = clamp(floor((z + gain bias) / theta + v0), 0, span);   out = code * amplitude
//   counts[n] or none: spikes of the trains of neuron n over the batch. base 1: the code itself;
//              base 2: ones of its binary form, at most `digits`
// z, out [B, N]; out may be z.
void radix_encode(const float* z, float* out, const Neurons& neurons, float gain, int base,
                  int digits, int64_t batch, int64_t* counts, int threads);

}  // namespace isospike
