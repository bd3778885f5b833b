#include "events.hpp"

namespace isospike::events {

const Kernels& kernels() {
#if defined(ISOSPIKE_X86_LEVELS)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return level4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return level3;
#endif
    return baseline;
}

}  // namespace isospike::events
