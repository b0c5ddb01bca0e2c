/**
 * @file
 * @brief FULLY_CONNECTED on int8, in portable C.
 */
#ifndef TS_FULLY_CONNECTED_S8_H
#define TS_FULLY_CONNECTED_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_fully_connected_s8(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t in_features;    /**< I, > 0 */
    int32_t out_features;   /**< O, > 0 */
    int32_t input_offset;   /**< -zero_point of the input, [-127, 128] */
    int32_t filter_offset;  /**< -zero_point of the filter, [-127, 128] */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_fully_connected_s8_params;

/**
 * @brief `output[n,o] = clamp(requantize(bias[o] + sum (filter[o,i] + filter_offset) *
 * (input[n,i] + input_offset)) + output_offset)`.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] filter int8 `[O, I]`, [-128, 127]
 * @param[in] channels bias and requantization `[O]`
 * @param[out] output int8 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_s8(const ts_fully_connected_s8_params *params, const int8_t *input,
                      const int8_t *filter, const ts_channel *channels, int8_t *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *row = input + n * params->in_features;
        for (int32_t o = 0; o < params->out_features; o++) {
            const uint32_t sum =
                ts_dot_offset_s8((uint32_t)channels[o].bias, row, filter + o * params->in_features,
                                 params->in_features, params->input_offset, params->filter_offset);
            *output++ = ts_offset_clamp_s8(
                ts_requantize_as(ts_wrap_s32(sum), channels[o].multiplier, channels[o].shift,
                                 params->rounding),
                params->output_offset, params->activation_min, params->activation_max);
        }
    }
}

#endif
