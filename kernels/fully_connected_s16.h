/**
 * @file
 * @brief FULLY_CONNECTED on int16, in portable C.
 */
#ifndef TS_FULLY_CONNECTED_S16_H
#define TS_FULLY_CONNECTED_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_fully_connected_s16(). */
typedef struct {
    int32_t batches;          /**< N, > 0 */
    int32_t in_features;      /**< I, > 0 */
    int32_t out_features;     /**< O, > 0 */
    int32_t accumulator_bits; /**< 32 or 64 */
    int32_t activation_min;   /**< [-32768, 32767] */
    int32_t activation_max;   /**< [activation_min, 32767] */
} ts_fully_connected_s16_params;

/**
 * @brief `output[n,o] = clamp(requantize(bias[o] + sum filter[o,i] * input[n,i]))`.
 *
 * Sums run in 64 bits; accumulators of 32 bits are what is left modulo 2^32.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[N, I]`, [-32768, 32767]
 * @param[in] filter int8 `[O, I]`, [-128, 127]
 * @param[in] bias added to the sums `[O]`
 * @param[in] scaling multiplier and shift `[O, 2]`, see ts_output_s16()
 * @param[out] output int16 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_s16(const ts_fully_connected_s16_params *params, const int16_t *input,
                       const int8_t *filter, const int64_t *bias, const int32_t *scaling,
                       int16_t *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        const int16_t *row = input + n * params->in_features;
        for (int32_t o = 0; o < params->out_features; o++) {
            const uint64_t sum = ts_dot_s16((uint64_t)bias[o], row,
                                            filter + o * params->in_features, params->in_features);
            *output++ = ts_output_s16(sum, scaling + 2 * o, params->accumulator_bits,
                                      params->activation_min, params->activation_max);
        }
    }
}

#endif
