/**
 * @file
 * @brief FULLY_CONNECTED on float32, on an FPU.
 */
#ifndef TS_FULLY_CONNECTED_F32_VFP_H
#define TS_FULLY_CONNECTED_F32_VFP_H

#include <stdint.h>

#include "vfp.h"
#include "vfp_row.h"

/** Parameters of ts_fully_connected_f32_vfp(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t in_features;  /**< I, > 0 */
    int32_t out_features; /**< O, > 0 */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
} ts_fully_connected_f32_vfp_params;

/**
 * @brief What ts_fully_connected_f32() computes, to the same bits.
 *
 * @param params sizes and ranges
 * @param[in] input float32 `[N, I]`
 * @param[in] filter float32 `[(O + 3) / 4, I, 4]`, padded with zeros
 * @param[in] bias added to the sums, padded to a multiple of 8; none is -0
 * @param[out] output float32 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_f32_vfp(const ts_fully_connected_f32_vfp_params *params, const float *input,
                           const float *filter, const float *bias, float *output)
{
    const ts_vfp_filters filters = {
        filter,
        bias,
        params->in_features,
        params->out_features,
        params->activation_min,
        params->activation_max,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        ts_vfp_row_of_all(&filters, input + n * params->in_features,
                          output + n * params->out_features);
    }
}

#endif
