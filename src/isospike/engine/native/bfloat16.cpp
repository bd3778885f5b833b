#include "bfloat16.hpp"

#include <algorithm>
#include <cstring>

#include "neurons.hpp"

namespace isospike {
namespace {

EVERY_WIDTH void widen(const uint16_t* from, float* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const uint32_t bits = uint32_t(from[i]) << 16;
        std::memcpy(to + i, &bits, sizeof bits);
    }
}

EVERY_WIDTH void narrow(const float* from, uint16_t* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        uint32_t bits;
        std::memcpy(&bits, from + i, sizeof bits);
        const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
        to[i] = uint16_t(from[i] == from[i] ? rounded : bits >> 16 | 0x40u);
    }
}

}  // namespace

const float* read(const Numbers& numbers, int64_t place, float* buffer, int64_t n) {
    if (!numbers.narrow) return static_cast<const float*>(numbers.data) + place;
    widen(static_cast<const uint16_t*>(numbers.data) + place, buffer, n);
    return buffer;
}

void write(const float* from, const Numbers& numbers, int64_t place, int64_t n) {
    if (numbers.narrow) return narrow(from, static_cast<uint16_t*>(numbers.data) + place, n);
    std::copy_n(from, n, static_cast<float*>(numbers.data) + place);
}

}  // namespace isospike
