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

/** Bias and requantization of one output channel. */
typedef struct {
    int32_t bias;       /**< added to the accumulator, any */
    int32_t multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;      /**< left if > 0, [-31, 30] */
} ts_channel;

/** A filter along one axis of the input: position f reads `origin + f * dilation`. */
typedef struct {
    int32_t origin; /**< input position of the filter's first position; negative in the padding */
    int32_t begin;  /**< first filter position that lies inside the input */
    int32_t end;    /**< one behind the last; not above `begin` if none lies inside */
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
 * @brief `acc + sum filter[i] * (input[i] + input_offset)`, modulo 2^32.
 * @param acc what to add to
 * @param[in] input int8 `[count]`, [-128, 127]
 * @param[in] filter int8 `[count]`, [-128, 127]
 * @param count number of products
 * @param input_offset -zero_point of the input, [-127, 128]
 */
static inline uint32_t ts_dot_s8(uint32_t acc, const int8_t *input, const int8_t *filter,
                                 int32_t count, int32_t input_offset)
{
    for (int32_t i = 0; i < count; i++) {
        acc += (uint32_t)(filter[i] * (input[i] + input_offset));
    }
    return acc;
}

/**
 * @brief Clip a filter to the input along one axis, so that inner loops need no tests.
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

#endif
