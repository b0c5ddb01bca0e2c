/**
 * @file
 * @brief FULLY_CONNECTED on int8 with weights that are mostly zero, in portable C.
 */
#ifndef TS_FULLY_CONNECTED_SPARSE_S8_H
#define TS_FULLY_CONNECTED_SPARSE_S8_H

#include <stdint.h>

#include "quant.h"
#include "sparse_s8.h"

/** Parameters of ts_fully_connected_sparse_s8(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t in_features;    /**< I, > 0 */
    int32_t out_features;   /**< O, > 0 */
    int32_t encoding;       /**< TS_SPARSE_CRS16, ... */
    int32_t count_step;     /**< 1: every row has a count of its own; 0: one for all */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_fully_connected_sparse_s8_params;

/**
 * @brief `output[n,o] = clamp(requantize(bias[o] + sum filter[o,i] * input[n,i]) +
 * output_offset)`.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] codes where the non-zeros of the filter `[O, I]` are, see sparse_s8.h
 * @param[in] values the non-zeros
 * @param[in] counts codes of each row, `[O]`, or of every row, `[1]`
 * @param[in] channels bias, with the input's zero point in it, and requantization `[O]`
 * @param[out] output int8 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_sparse_s8(const ts_fully_connected_sparse_s8_params *params, const int8_t *input,
                             const void *codes, const int8_t *values, const uint16_t *counts,
                             const ts_channel *channels, int8_t *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        ts_sparse rest = {codes, values};
        for (int32_t o = 0; o < params->out_features; o++) {
            const uint32_t sum =
                ts_sparse_dot(params->encoding, &rest, counts[o * params->count_step],
                              input + n * params->in_features, (uint32_t)channels[o].bias);
            *output++ = ts_offset_clamp_s8(
                ts_requantize_as(ts_wrap_s32(sum), channels[o].multiplier, channels[o].shift,
                                 params->rounding),
                params->output_offset, params->activation_min, params->activation_max);
        }
    }
}

#endif
