/**
 * @file
 * @brief SUM and MEAN on int8, in portable C.
 */
#ifndef TS_SUM_S8_H
#define TS_SUM_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_sum_s8(). */
typedef struct {
    int32_t outer;         /**< elements before the reduced axes, > 0 */
    int32_t reduced0;      /**< elements of the first run of reduced axes, > 0 */
    int32_t middle;        /**< elements between the two runs, > 0 */
    int32_t reduced1;      /**< elements of the second run of reduced axes, > 0 */
    int32_t inner;         /**< elements behind the reduced axes, > 0 */
    int32_t input_offset;  /**< -zero_point of the input, [-127, 128] */
    int32_t output_offset; /**< zero_point of the output, [-128, 127] */
    int32_t multiplier;    /**< Q0.31, [0, 2^31); holds the division of a mean */
    int32_t shift;         /**< left if > 0, [-31, 30] */
} ts_sum_s8_params;

/**
 * @brief `output[o,m,i] = clamp(requantize(sum over r, s) + output_offset)`.
 *
 * Summed are `input[o,r,m,s,i] + input_offset`, modulo 2^32.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[outer, reduced0, middle, reduced1, inner]`, [-128, 127]
 * @param[out] output int8 `[outer, middle, inner]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void ts_sum_s8(const ts_sum_s8_params *params,
                                                            const int8_t *input, int8_t *output)
{
    const int32_t slice = params->reduced1 * params->inner; /* of one place in the middle */
    for (int32_t o = 0; o < params->outer; o++) {
        const int8_t *block = input + o * params->reduced0 * params->middle * slice;
        for (int32_t m = 0; m < params->middle; m++) {
            for (int32_t i = 0; i < params->inner; i++) {
                const int8_t *first = block + m * slice + i;
                uint32_t sum = (uint32_t)(params->reduced0 * params->reduced1) *
                               (uint32_t)params->input_offset;
                for (int32_t r = 0; r < params->reduced0; r++) {
                    const int8_t *row = first + r * params->middle * slice;
                    for (int32_t s = 0; s < params->reduced1; s++) {
                        const int32_t value = row[s * params->inner];
                        sum += (uint32_t)value;
                    }
                }
                const int32_t scaled =
                    ts_requantize(ts_wrap_s32(sum), params->multiplier, params->shift);
                *output++ = ts_offset_clamp_s8(scaled, params->output_offset, -128, 127);
            }
        }
    }
}

#endif
