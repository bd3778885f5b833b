// Spike trains as lists, and neurons that walk them. Plain C++: no Python and no torch in here.
//
// Trains are bytes [T, B, H, W, C], channels last: how many spikes each neuron sends at each step,
// less than zero where it takes some back. Lists hold only the spikes, one list for each row
// (t, b, y) of each frame; those that take back have lists of their own.
#pragma once

#include <cstdint>

namespace isospike::events {

// Spikes of the rows of all frames: each entry is x * C + c, once for each spike, by ascending x;
// those of column x stand from entries[offsets[row * (W + 1) + x]] to the next offset. Rows that one
// thread writes follow each other without gaps, from the place of its first row: entries are few
// beside their room, and memory that is not touched costs nothing.
struct Lists {
    uint16_t* entries;  // PADDING more than [rows, capacity], fewer than 2^31
    int32_t* offsets;   // [rows, W + 1]
    int64_t capacity;   // width * channels * most + SLACK
    int32_t channels, height, width;
    int32_t most;  // spikes of one neuron
};

// Which spikes of trains [rows, W, channels] a list holds: those of the lists' channels from `first`
// on, either the positive or the negative ones.
struct Picked {
    int32_t channels, first;
    bool minus;
};

// What a vector store may write behind the last entry of a list, and a load read.
constexpr int64_t PADDING = 64;
// The same between the rows of one thread and those of the next.
constexpr int64_t SLACK = 16;

struct Window {
    int32_t height, width, stride_y, stride_x, pad_y, pad_x, step_y, step_x;  // step: dilation
};

// Every channel of the lists reaches every channel from .. to - 1 of the site, whole blocks.
struct Mixed {
    Lists lists;
    Window window;
    int32_t from, to;
    // Of its weights in the table. Tap (ky, kx) of channel c has row first_row +
    //   collected: (ky * width + kx) * C + c         scattered: (c * height + ky) * width + kx
    int64_t first_row;
};

// Channel c of the source reaches channel c of the site: depthwise, or a shortcut (1 x 1).
struct Channelwise {
    const int8_t* trains;  // [T, B, height, width, channels of the site]
    int32_t height, width;
    Window window;
    const float* weights;  // [window height * width, padded channels]
};

// What a neuron does with its drive d, in units of theta.
//   plain   v += d;         s = v >= 1                         soft: v -= s, hard: v = 0 where s > 0
//   graded  v = leak v + d; s = clip(floor(v), 0, cap)         the same
//   paired  v += d;         s = min(clip(floor(v), 0, cap), most - S)
//                             - min(clip(ceil(-low - v), 0, cap), S - least)
//           v -= s, but v += back where s < 0 and back is not 1; S += s
enum class Kind { plain, graded, paired };
struct Neuron {
    Kind kind;
    bool hard;
    float leak, cap, low, back, least, most;
};

// What reaches a layer as numbers of spikes, pooled or not, for the matrix unit: sums of them times
// whole weights. A weight is units[o] * (65536 d0 + 256 d1 + d2) with digits from -128 to 127, exact
// to 2^-23 of the largest of its channel.
struct Patch {
    const int8_t* trains;  // [T, B, height, width, channels]
    int32_t channels, height, width;
    Window window;
};
struct Matrix {
    // [channels / 16, inputs / 64, digit, 16, 16, 4]: of output o and input 64 k + 4 r + i the digit
    // stands at [o / 16, k, digit, r, o % 16, i]; inputs as in a collected table, patch after patch
    const int8_t* digits;
    const float* units;  // [padded]
    int64_t chunks;      // of 64 inputs
    const Patch* patches;
    int32_t patch_count;
};

// One layer of neurons; everything in units of theta.
//   d(t) = bias + drift(t) + steady + frames(t) / theta + spikes
struct Layer {
    int64_t steps, batch;
    int32_t height, width, channels;
    int32_t block;        // output channels that are worked on together
    int64_t padded;       // channels up to whole blocks
    int64_t rows;         // of the table, without the row of zeros that ends it
    const float* table;   // [padded / block, rows + 1, block]
    const float* bias;    // [padded]
    const float* theta;   // [padded], for `frames` alone
    const float* drift;   // [T, padded] or null
    const float* steady;  // [B, H, W, C] or null: drive that is the same at every step
    const float* frames;  // [T, B, H, W, C] or null: drive in activation units
    const Mixed* mixed;
    int32_t mixed_count;
    const Channelwise* channelwise;
    int32_t channelwise_count;
    Neuron neuron;
    // Narrow layers, of one block, scatter: each spike adds its weights to all pixels that it
    // reaches. Others collect: each pixel adds the weights of all spikes that reach it.
    bool scatter;
    const float* v0;  // [images, H, W, C]: v begins with it, and S with 0; or null: they go on
    int64_t images;   // 1 (the same for all) or B
    float* v;         // [B, H, W, C], read and written
    float* sent;      // the same of S, where the neuron is paired
    int8_t* out;      // [T, B, H, W, C]
    int64_t longest;  // most spikes that one neuron can receive at one step
};

struct Kernels {
    int32_t lanes;  // floats in a vector
    // Trains -> lists, and how many spikes they hold; reads PADDING bytes behind the last.
    int64_t (*list)(const int8_t* trains, int64_t rows, const Picked& picked, const Lists& lists,
                    int threads);
    // Average pooling without its division: the spikes of a window, as lists of the pooled pixels.
    int64_t (*pool)(const Lists& lists, int64_t frames, const Window& window, const Lists& pooled,
                    int threads);
    // The same as trains: sums [frames, high, wide, channels] of windows of trains [frames, height,
    // width, channels].
    void (*sum)(const int8_t* trains, int64_t frames, int32_t height, int32_t width,
                int32_t channels, const Window& window, int8_t* sums, int32_t high, int32_t wide,
                int threads);
    // Answers whether all membranes are numbers below infinity in the end.
    bool (*fire)(const Layer& layer, int threads);
    // counts[n] += spikes of neuron n in trains [frames, N], of either sign.
    void (*count)(const int8_t* trains, int64_t frames, int64_t neurons, int64_t* counts,
                  int threads);
};

extern const Kernels baseline;
#if defined(ISOSPIKE_X86_LEVELS)
extern const Kernels level3;  // AVX2
extern const Kernels level4;  // AVX-512
extern const Kernels level5;  // and packing of 16-bit numbers (VBMI2)
#endif

// The widest that this processor has.
const Kernels& kernels();

// Has this processor a matrix unit of 8-bit numbers (AMX), and does the system let us use it?
bool matrix_unit();

#if defined(ISOSPIKE_MATRIX)
// As Kernels::fire, for a layer without mixed sources that receives `matrix` in their place.
bool fire_on_matrix(const Layer& layer, const Matrix& matrix, int threads);
#endif

}  // namespace isospike::events
