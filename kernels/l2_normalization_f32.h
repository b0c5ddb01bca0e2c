/**
 * @file
 * @brief L2_NORMALIZATION on float32, in portable C.
 */
#ifndef TS_L2_NORMALIZATION_F32_H
#define TS_L2_NORMALIZATION_F32_H

#include <stdint.h>

#include "math_f32.h"

/** Parameters of ts_l2_normalization_f32(). */
typedef struct {
    int32_t rows;  /**< > 0 */
    int32_t depth; /**< length of a row, > 0 */
} ts_l2_normalization_f32_params;

/**
 * @brief Square root, rounded once: four Newton steps in double from within 7 %.
 * @param x >= 0, infinity or NaN
 */
static inline float ts_l2_normalization_f32_root(float x)
{
    if (x != x || x == __builtin_inff() || x <= 0.0F) {
        return x;
    }
    ts_double_bits root = {.value = (double)x};
    root.bits = (root.bits >> 1) + (UINT64_C(1023) << 51);
    for (int32_t step = 0; step < 4; step++) {
        root.value = 0.5 * (root.value + (double)x / root.value);
    }
    return (float)root.value;
}

/**
 * @brief `output[r,d] = input[r,d] / max(sqrt(sum input[r,.]^2), 1e-6)`.
 *
 * Sums in single precision and in order: the order decides the last bit.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[rows, depth]`
 * @param[out] output float `[rows, depth]`, [-1, 1]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_l2_normalization_f32(const ts_l2_normalization_f32_params *params, const float *input,
                        float *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        float sum = 0.0F;
        for (int32_t d = 0; d < params->depth; d++) {
            sum += input[d] * input[d];
        }
        const float root = ts_l2_normalization_f32_root(sum);
        const float length = root < 1e-6F ? 1e-6F : root;
        for (int32_t d = 0; d < params->depth; d++) {
            output[d] = input[d] / length;
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
