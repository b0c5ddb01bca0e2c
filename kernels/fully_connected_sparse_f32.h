/**
 * @file
 * @brief FULLY_CONNECTED on float32 with weights that are mostly zero.
 */
#ifndef TS_FULLY_CONNECTED_SPARSE_F32_H
#define TS_FULLY_CONNECTED_SPARSE_F32_H

#include <stdint.h>

#include "sparse_f32.h"

/** Parameters of ts_fully_connected_sparse_f32(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t in_features;  /**< I, > 0 */
    int32_t out_features; /**< O, > 0 */
    int32_t encoding;     /**< TS_SPARSE_CRS16, ... */
    int32_t count_step;   /**< 1: every row has a count of its own; 0: one for all */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
} ts_fully_connected_sparse_f32_params;

/**
 * @brief `output[n,o] = clamp(sum filter[o,i] * input[n,i] + bias[o])`.
 *
 * Products are added in the order of the filter, the bias last.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, I]`
 * @param[in] codes where the non-zeros of the filter `[O, I]` are, see sparse.h
 * @param[in] values the non-zeros
 * @param[in] counts codes of each row, `[O]`, or of every row, `[1]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_sparse_f32(const ts_fully_connected_sparse_f32_params *params,
                              const float *input, const void *codes, const float *values,
                              const uint16_t *counts, const float *bias, float *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        ts_sparse rest = {codes, values};
        for (int32_t o = 0; o < params->out_features; o++) {
            const float sum =
                ts_sparse_dot_f32(params->encoding, &rest, counts[o * params->count_step],
                                  input + n * params->in_features);
            *output++ = ts_clamp_f32(sum + bias[o], params->activation_min, params->activation_max);
        }
    }
}

#endif
