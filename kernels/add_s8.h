/**
 * @file
 * @brief ADD on int8, in portable C.
 */
#ifndef TS_ADD_S8_H
#define TS_ADD_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_add_s8(). */
typedef struct {
    int32_t elements;          /**< > 0 */
    int32_t input1_offset;     /**< -zero_point of the first input, [-127, 128] */
    int32_t input1_multiplier; /**< Q0.31, [2^30, 2^31) or 0; with its shift at most 1/2 */
    int32_t input1_shift;      /**< left if > 0, [-31, 0] */
    int32_t input2_offset;     /**< -zero_point of the second input, [-127, 128] */
    int32_t input2_multiplier; /**< Q0.31, [2^30, 2^31) or 0; with its shift at most 1/2 */
    int32_t input2_shift;      /**< left if > 0, [-31, 0] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 0] */
    int32_t activation_min;    /**< [-128, 127] */
    int32_t activation_max;    /**< [activation_min, 127] */
} ts_add_s8_params;

/** An input in the common scale: raised by 20 bits first, so that rounding loses nothing. */
static inline int32_t ts_add_s8_rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    return ts_requantize(value * (1 << 20), multiplier, shift);
}

/**
 * @brief `output[e] = clamp(requantize(rescale(input1[e]) + rescale(input2[e])) + output_offset)`.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 int8 `[elements]`, [-128, 127]
 * @param[in] input2 int8 `[elements]`, [-128, 127]
 * @param[out] output int8 `[elements]`, [activation_min, activation_max]; may be an input
 */
static inline __attribute__((always_inline)) void ts_add_s8(const ts_add_s8_params *params,
                                                            const int8_t *input1,
                                                            const int8_t *input2, int8_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t sum = ts_add_s8_rescale(input1[e] + params->input1_offset,
                                              params->input1_multiplier, params->input1_shift) +
                            ts_add_s8_rescale(input2[e] + params->input2_offset,
                                              params->input2_multiplier, params->input2_shift);
        const int32_t scaled = ts_requantize(sum, params->output_multiplier, params->output_shift);
        output[e] = ts_offset_clamp_s8(scaled, params->output_offset, params->activation_min,
                                       params->activation_max);
    }
}

#endif
