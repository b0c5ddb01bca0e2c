/**
 * @file
 * @brief What the float32 kernels of elements share.
 */
#ifndef TS_FLOAT_H
#define TS_FLOAT_H

/** `x` limited to [low, high]; NaN stays. */
static inline float ts_clamp_f32(float x, float low, float high)
{
    const float above = x < low ? low : x;
    return above > high ? high : above;
}

#endif
