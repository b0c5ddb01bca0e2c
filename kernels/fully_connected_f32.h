/**
 * @file
 * @brief FULLY_CONNECTED on float32, in portable C.
 */
#ifndef TS_FULLY_CONNECTED_F32_H
#define TS_FULLY_CONNECTED_F32_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_fully_connected_f32(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t in_features;  /**< I, > 0 */
    int32_t out_features; /**< O, > 0 */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
} ts_fully_connected_f32_params;

/**
 * @brief `output[n,o] = clamp(sum filter[o,i] * input[n,i] + bias[o])`.
 *
 * Products are added in the order of the filter, the bias last.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, I]`
 * @param[in] filter float32 `[O, I]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_f32(const ts_fully_connected_f32_params *params, const float *input,
                       const float *filter, const float *bias, float *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        const float *row = input + n * params->in_features;
        for (int32_t o = 0; o < params->out_features; o++) {
            const float sum =
                ts_dot_f32(0.0F, row, filter + o * params->in_features, params->in_features);
            *output++ =
                ts_clamp_f32(sum + bias[o], params->activation_min, params->activation_max);
        }
    }
}

#endif
