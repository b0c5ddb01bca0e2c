/**
 * @file
 * @brief L2_NORMALIZATION on int8, in portable C.
 */
#ifndef TS_L2_NORMALIZATION_S8_H
#define TS_L2_NORMALIZATION_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_l2_normalization_s8(). */
typedef struct {
    int32_t rows;         /**< > 0 */
    int32_t depth;        /**< length of a row, [1, 2^15]: the sum of squares then fits 31 bits */
    int32_t input_offset; /**< -zero_point of the input, [-127, 128] */
} ts_l2_normalization_s8_params;

/** A real number, `multiplier * 2^(shift - 31)`. */
typedef struct {
    int32_t multiplier; /**< Q0.31, [0, 2^31) */
    int32_t shift;      /**< left if > 0, [-12, 0] */
} ts_l2_normalization_s8_scale;

/**
 * @brief `1 / sqrt(x)`: five Newton steps from one, in Q3.28, where nothing saturates.
 * @param x [0, 2^31); 0 counts as 1
 */
static inline ts_l2_normalization_s8_scale ts_l2_normalization_s8_inverse_root(int32_t x)
{
    if (x <= 1) {
        return (ts_l2_normalization_s8_scale){INT32_MAX, 0};
    }
    int32_t right = 11;
    while (x >= 1 << 29) {
        x /= 4;
        right++;
    }
    const int32_t pairs = (__builtin_clz((uint32_t)x) - 1) / 2 - 1;
    right -= pairs;
    const int32_t half = ts_rounding_shift_right((x << (2 * pairs)) >> 1, 1);
    int32_t root = 1 << 28;
    for (int32_t step = 0; step < 5; step++) {
        const int32_t cube = ts_high_mul(ts_high_mul(root, root), root) * 64;
        root = (ts_high_mul(root, 3 << 27) - ts_high_mul(half, cube)) * 8;
    }
    const int32_t multiplier = ts_high_mul(root, 1518500250); /* times sqrt(1/2) */
    if (right < 0) {
        return (ts_l2_normalization_s8_scale){multiplier << -right, 0};
    }
    return (ts_l2_normalization_s8_scale){multiplier, -right};
}

/**
 * @brief `output[r,d] = clamp(128 * x[r,d] / sqrt(sum x[r,.]^2))`, `x = input + input_offset`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[rows, depth]`, [-128, 127]
 * @param[out] output int8 `[rows, depth]`, scale 1/128 and zero point 0, [-128, 127]; may be the
 *             input
 */
static inline __attribute__((always_inline)) void
ts_l2_normalization_s8(const ts_l2_normalization_s8_params *params, const int8_t *input,
                       int8_t *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        int32_t sum = 0;
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t value = input[d] + params->input_offset;
            sum += value * value;
        }
        const ts_l2_normalization_s8_scale scale = ts_l2_normalization_s8_inverse_root(sum);
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t value = input[d] + params->input_offset;
            const int32_t scaled = ts_requantize(value, scale.multiplier, scale.shift + 7);
            output[d] = ts_clamp_s8(scaled, -128, 127);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
