// Vectors of one width, and how they are loaded and stored. Part of events_kernel.hpp.
#pragma once

#include <cstdint>
#if defined(__AVX__)
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

// Bytes, shorts and words into each other: __builtin_convertvector may go one by one (GCC 12).
#if defined(__AVX512F__)
INLINE Words words(const int8_t* from) {
    return Words(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

INLINE Words words(const uint16_t* from) {
    return Words(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
}

INLINE Bytes bytes(Words words) { return Bytes(_mm512_cvtepi32_epi8(__m512i(words))); }
#elif defined(__AVX2__)
INLINE Words words(const int8_t* from) {
    return Words(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

INLINE Words words(const uint16_t* from) {
    return Words(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

INLINE Bytes bytes(Words words) {
    const __m256i all = __m256i(words);
    const __m128i shorts =
        _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128i found = _mm_packs_epi16(shorts, shorts);
    return load<Bytes>(&found);
}
#else
INLINE Words words(const int8_t* from) { return __builtin_convertvector(load<Bytes>(from), Words); }

INLINE Words words(const uint16_t* from) {
    return __builtin_convertvector(load<Shorts>(from), Words);
}

INLINE Bytes bytes(Words words) { return __builtin_convertvector(words, Bytes); }
#endif

INLINE Floats floats(const int8_t* from) { return __builtin_convertvector(words(from), Floats); }

// The first `count` bytes; the rest are zero.
INLINE Floats floats(const int8_t* from, int count) {
    if (count >= LANES) return floats(from);
    const auto some = load<Bytes>(from, count);
    return floats(reinterpret_cast<const int8_t*>(&some));
}

INLINE int32_t largest(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

}  // namespace
}  // namespace isospike::events
