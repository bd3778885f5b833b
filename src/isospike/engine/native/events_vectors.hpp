// Vectors of one width, and how they are loaded and stored. Part of events_kernel.hpp.
#pragma once

#include <cstdint>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace isospike::events {
namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

template <typename T, int size>
struct Vector {
    typedef T type __attribute__((vector_size(sizeof(T) * size)));
};
using Floats = Vector<float, LANES>::type;
using Words = Vector<int32_t, LANES>::type;
using Shorts = Vector<uint16_t, LANES>::type;
using Bytes = Vector<int8_t, LANES>::type;

#define INLINE inline __attribute__((always_inline))

template <typename V>
INLINE V load(const void* from) {
    V value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

// The first `count` elements; the rest are zero.
template <typename V, typename T>
INLINE V load(const T* from, int count) {
    if (count >= LANES) return load<V>(from);
    V value = {};
    for (int i = 0; i < count; ++i) value[i] = from[i];
    return value;
}

template <typename V, typename T>
INLINE void store(T* to, V value, int count) {
    if (count >= LANES) {
        __builtin_memcpy(to, &value, sizeof value);
    } else {
        for (int i = 0; i < count; ++i) to[i] = value[i];
    }
}

// In two strides, each of one instruction: bytes to floats directly go one by one.
INLINE Floats floats(Bytes bytes) {
    return __builtin_convertvector(__builtin_convertvector(bytes, Words), Floats);
}

INLINE Words words(const uint16_t* from) {
#if defined(__AVX512F__)
    return Words(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#else
    return __builtin_convertvector(load<Shorts>(from), Words);
#endif
}

INLINE int32_t largest(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

}  // namespace
}  // namespace isospike::events
