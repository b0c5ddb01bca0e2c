/**
 * @file
 * @brief What the float32 kernels of elements share.
 */
#ifndef TS_FLOAT_H
#define TS_FLOAT_H

#include <stdint.h>

/** A float and its bits. */
typedef union {
    float value;
    uint32_t bits;
} ts_float_bits;

/** `x` limited to [low, high]; NaN stays. */
static inline float ts_clamp_f32(float x, float low, float high)
{
    const float above = x < low ? low : x;
    return above > high ? high : above;
}

/**
 * @brief `x` rounded to nearest.
 *
 * Adding 1/2 and truncating would round 0.49999997 up; taking the integer part off is exact.
 *
 * @param x [-2^22, 2^22]
 * @param to_even halves: 1 to even, 0 away from zero
 */
static inline int32_t ts_round_f32(float x, int32_t to_even)
{
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole;
    if (to_even && (rest == 0.5F || rest == -0.5F)) {
        return whole + (whole & 1 ? (rest > 0.0F ? 1 : -1) : 0);
    }
    return whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0);
}

#endif
