/**
 * @file
 * @brief What the int8 kernels share: requantization, accumulation and the clipping of windows.
 *
 * The same arithmetic stands in Python in compiler/quantize.py; tests hold the two against each
 * other. Two things that C leaves to the implementation are used and are so in gcc: the right
 * shift of a negative number fills with its sign, and a conversion to a narrower signed type
 * keeps the low bits. Sums that a model could drive past 32 bits run in uint32_t, where wrapping
 * is defined, and come back through ts_wrap_s32().
 */
#ifndef TS_QUANT_H
#define TS_QUANT_H

#include <stdint.h>

#include "float.h"

/** How ts_requantize_as() rounds. */
enum {
    TS_ROUND_TWICE = 0, /**< as TFLite Micro */
    TS_ROUND_ONCE = 1,  /**< as newer TFLite */
    TS_ROUND_FLOAT = 2  /**< as ONNX Runtime */
};

/** Bias and requantization of one output channel. */
typedef struct {
    int32_t bias;       /**< added to the accumulator, any */
    int32_t multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;      /**< left if > 0, [-31, 30] */
} ts_channel;

/** A stretch of a filter or of an input along one axis, see ts_clip() and ts_reaching(). */
typedef struct {
    int32_t origin; /**< what the positions on the other side count from */
    int32_t begin;  /**< first position that takes part */
    int32_t end;    /**< one behind the last; not above `begin` if none takes part */
} ts_span;

/** Read a modulo 2^32 sum as the signed number that a register holds. */
static inline int32_t ts_wrap_s32(uint32_t sum) { return (int32_t)sum; }

/**
 * @brief High half of `2 * a * b`, rounded to nearest, halves up.
 *
 * Equals the saturating rounding doubling high multiplication of the reference, which adds 2^30
 * or 1 - 2^30 by sign and then truncates. It would saturate for INT32_MIN * INT32_MIN alone.
 *
 * @param a any
 * @param b [-(2^31 - 1), 2^31 - 1]: the product then always fits
 */
static inline int32_t ts_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/**
 * @brief `x / 2^exponent`, rounded to nearest, halves away from zero.
 * @param x any
 * @param exponent [0, 31]
 */
static inline int32_t ts_rounding_shift_right(int32_t x, int32_t exponent)
{
    const uint32_t mask = (UINT32_C(1) << exponent) - 1U;
    const uint32_t remainder = (uint32_t)x & mask;
    const uint32_t threshold = (mask >> 1) + (x < 0 ? 1U : 0U);
    return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/**
 * @brief `acc * multiplier * 2^(shift - 31)`, rounded twice as the reference does.
 * @param acc any; a left shift wraps
 * @param multiplier Q0.31, [0, 2^31)
 * @param shift left if > 0, [-31, 31]
 */
static inline int32_t ts_requantize(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t raised = ts_wrap_s32((uint32_t)acc << left);
    return ts_rounding_shift_right(ts_high_mul(raised, multiplier), right);
}

/**
 * @brief `acc * multiplier * 2^(shift - 31)`, rounded once, halves up; keeps the low 32 bits.
 * @param acc any
 * @param multiplier Q0.31, [0, 2^31)
 * @param shift left if > 0, [-31, 30]
 */
static inline int32_t ts_requantize_once(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t right = 31 - shift;
    const int64_t scaled = ((int64_t)acc * multiplier + (INT64_C(1) << (right - 1))) >> right;
    return ts_wrap_s32((uint32_t)scaled);
}

/**
 * @brief `x` rounded to nearest, halves to even, and limited to int32.
 *
 * From 2^22 on a float is a multiple of a half at most; from 2^23 on it is whole.
 *
 * @param x any number; not NaN
 */
static inline int32_t ts_round_even(float x)
{
    if (x >= 0x1p23F || x <= -0x1p23F) {
        return x >= 0x1p31F ? INT32_MAX : x <= -0x1p31F ? INT32_MIN : (int32_t)x;
    }
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole; /* exact */
    const int32_t is_odd = whole & 1;
    if (rest > 0.5F || (rest == 0.5F && is_odd != 0)) {
        return whole + 1;
    }
    return rest < -0.5F || (rest == -0.5F && is_odd != 0) ? whole - 1 : whole;
}

/**
 * @brief `(float)acc * scale`, rounded halves to even and limited to int32.
 * @param acc any
 * @param multiplier Q0.31 of a float: its low 7 bits are 0; [2^30, 2^31) or 0
 * @param shift `scale = multiplier * 2^(shift - 31)`, [-31, 30]
 */
static inline int32_t ts_requantize_float(int32_t acc, int32_t multiplier, int32_t shift)
{
    const ts_float_bits power = {.bits = (uint32_t)(shift - 31 + 127) << 23};
    const float scale = (float)multiplier * power.value; /* both exact */
    return ts_round_even((float)acc * scale);
}

/** `acc` scaled with one of the roundings, a literal at the call. */
static inline __attribute__((always_inline)) int32_t
ts_requantize_as(int32_t acc, int32_t multiplier, int32_t shift, int32_t rounding)
{
    return rounding == TS_ROUND_FLOAT  ? ts_requantize_float(acc, multiplier, shift)
           : rounding == TS_ROUND_ONCE ? ts_requantize_once(acc, multiplier, shift)
                                       : ts_requantize(acc, multiplier, shift);
}

/**
 * @brief `acc * multiplier * 2^(shift - 15)`, rounded once, halves up; keeps the low 32 bits.
 * @param acc any; the product wraps from 2^47 on
 * @param multiplier Q0.15, [2^14, 2^15) or 0
 * @param shift left if > 0, [-31, 8]
 */
static inline int32_t ts_requantize_wide(int64_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t right = 15 - shift;
    const uint64_t product = (uint64_t)acc * (uint64_t)multiplier + (UINT64_C(1) << (right - 1));
    return ts_wrap_s32((uint32_t)((int64_t)product >> right));
}

/**
 * @brief Requantization and activation of an int16 output.
 * @param acc bias and products, summed modulo 2^64
 * @param[in] scaling multiplier and shift of the channel; the multiplier is Q0.31 for
 * accumulators of 32 bits and Q0.15 for those of 64
 * @param accumulator_bits 32 or 64: what the sum wraps at and how it is rounded
 * @param low [-32768, 32767]
 * @param high [low, 32767]
 */
static inline __attribute__((always_inline)) int16_t ts_output_s16(uint64_t acc,
                                                                   const int32_t *scaling,
                                                                   int32_t accumulator_bits,
                                                                   int32_t low, int32_t high)
{
    const int32_t x = accumulator_bits == 32
                          ? ts_requantize(ts_wrap_s32((uint32_t)acc), scaling[0], scaling[1])
                          : ts_requantize_wide((int64_t)acc, scaling[0], scaling[1]);
    return (int16_t)(x < low ? low : x > high ? high : x);
}

/** `x` limited to [low, high], a part of [-128, 127]. */
static inline int8_t ts_clamp_s8(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

/**
 * @brief `x + offset` limited to [low, high].
 *
 * Clamps before it adds: `x` may be so large that the sum overflows.
 *
 * @param x any
 * @param offset [-128, 127]
 * @param low [-128, 127]
 * @param high [low, 127]
 */
static inline int8_t ts_offset_clamp_s8(int32_t x, int32_t offset, int32_t low, int32_t high)
{
    const int32_t least = low - offset;
    const int32_t most = high - offset;
    return (int8_t)((x < least ? least : x > most ? most : x) + offset);
}

/**
 * @brief `acc + sum (filter[i] + filter_offset) * (input[i] + input_offset)`, modulo 2^32.
 * @param acc what to add to
 * @param[in] input int8 `[count]`, [-128, 127]
 * @param[in] filter int8 `[count]`, [-128, 127]
 * @param count number of products
 * @param input_offset -zero_point of the input, [-127, 128]
 * @param filter_offset -zero_point of the filter, [-127, 128]; 0 costs nothing
 */
static inline uint32_t ts_dot_offset_s8(uint32_t acc, const int8_t *input, const int8_t *filter,
                                        int32_t count, int32_t input_offset, int32_t filter_offset)
{
    for (int32_t i = 0; i < count; i++) {
        acc += (uint32_t)((filter[i] + filter_offset) * (input[i] + input_offset));
    }
    return acc;
}

/** `acc + sum filter[i] * (input[i] + input_offset)`, modulo 2^32. */
static inline uint32_t ts_dot_s8(uint32_t acc, const int8_t *input, const int8_t *filter,
                                 int32_t count, int32_t input_offset)
{
    return ts_dot_offset_s8(acc, input, filter, count, input_offset, 0);
}

/** `acc + sum filter[i] * input[i]`, modulo 2^64. */
static inline uint64_t ts_dot_s16(uint64_t acc, const int16_t *input, const int8_t *filter,
                                  int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        acc += (uint64_t)(int64_t)(filter[i] * input[i]);
    }
    return acc;
}

/** `acc + sum filter[i] * input[i]`, rounded after every step, in order. */
static inline float ts_dot_f32(float acc, const float *input, const float *filter, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        acc += input[i] * filter[i];
    }
    return acc;
}

/**
 * @brief Filter positions inside the input along one axis, so that inner loops need no tests.
 *
 * Filter position f reads input position `origin + f * dilation`.
 *
 * @param origin input position of the filter's first position
 * @param filter positions of the filter, > 0
 * @param dilation input positions from one filter position to the next, > 0
 * @param size length of the input, > 0
 */
static inline ts_span ts_clip(int32_t origin, int32_t filter, int32_t dilation, int32_t size)
{
    const int32_t begin = origin < 0 ? (dilation - 1 - origin) / dilation : 0;
    const int32_t end = (size - origin + dilation - 1) / dilation;
    return (ts_span){origin, begin, end < filter ? end : filter};
}

/**
 * @brief Inputs that reach one position of the output of a transposed convolution, along one axis.
 *
 * Input p reaches the position with filter position `origin - p * stride`.
 *
 * @param origin the output position, counted from where the first input begins, >= 0
 * @param filter positions of the filter, > 0
 * @param stride output positions from one input to the next, > 0
 * @param size length of the input, > 0
 */
static inline ts_span ts_reaching(int32_t origin, int32_t filter, int32_t stride, int32_t size)
{
    const int32_t begin = origin < filter ? 0 : (origin - filter) / stride + 1;
    const int32_t end = origin / stride + 1;
    return (ts_span){origin, begin, end < size ? end : size};
}

#endif
