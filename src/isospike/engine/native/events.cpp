#include "events.hpp"

#if defined(ISOSPIKE_MATRIX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace isospike::events {

const Kernels& kernels() {
#if defined(ISOSPIKE_X86_LEVELS)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return __builtin_cpu_supports("avx512vbmi2") ? level5 : level4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return level3;
#endif
    return baseline;
}

bool matrix_unit() {
#if defined(ISOSPIKE_MATRIX)
    static const bool found = [] {
        constexpr unsigned tiles = 1u << 24, eight_bits = 1u << 25;  // of leaf 7
        constexpr long ask = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
        unsigned a, b, c, d;
        if (&kernels() != &level5 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
        return d & tiles && d & eight_bits && syscall(SYS_arch_prctl, ask, tile_data) == 0;
    }();
    return found;
#else
    return false;
#endif
}

}  // namespace isospike::events
