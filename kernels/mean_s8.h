/**
 * @file
 * @brief MEAN on int8, in portable C.
 */
#ifndef TS_MEAN_S8_H
#define TS_MEAN_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_mean_s8(). */
typedef struct {
    int32_t outer;         /**< elements before the reduced axes, > 0 */
    int32_t reduced;       /**< elements that become one, > 0 */
    int32_t inner;         /**< elements behind the reduced axes, > 0 */
    int32_t input_offset;  /**< -zero_point of the input, [-127, 128] */
    int32_t output_offset; /**< zero_point of the output, [-128, 127] */
    int32_t multiplier;    /**< Q0.31, [0, 2^31); holds the division by `reduced` */
    int32_t shift;         /**< left if > 0, [-31, 30] */
} ts_mean_s8_params;

/**
 * @brief `output[o,i] = clamp(requantize(sum (input[o,r,i] + input_offset)) + output_offset)`.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[outer, reduced, inner]`, [-128, 127]
 * @param[out] output int8 `[outer, inner]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void ts_mean_s8(const ts_mean_s8_params *params,
                                                             const int8_t *input, int8_t *output)
{
    for (int32_t o = 0; o < params->outer; o++) {
        const int8_t *block = input + o * params->reduced * params->inner;
        for (int32_t i = 0; i < params->inner; i++) {
            uint32_t sum = (uint32_t)params->reduced * (uint32_t)params->input_offset;
            for (int32_t r = 0; r < params->reduced; r++) {
                const int32_t value = block[r * params->inner + i];
                sum += (uint32_t)value;
            }
            const int32_t scaled =
                ts_requantize(ts_wrap_s32(sum), params->multiplier, params->shift);
            *output++ = ts_offset_clamp_s8(scaled, params->output_offset, -128, 127);
        }
    }
}

#endif
