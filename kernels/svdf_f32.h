/**
 * @file
 * @brief SVDF on float32, in portable C.
 */
#ifndef TS_SVDF_F32_H
#define TS_SVDF_F32_H

#include <stdint.h>

/** Parameters of ts_svdf_f32(). */
typedef struct {
    int32_t batches;      /**< B, > 0 */
    int32_t in_features;  /**< I, > 0 */
    int32_t units;        /**< U, > 0 */
    int32_t rank;         /**< filters a unit, > 0 */
    int32_t memory;       /**< M, > 0 */
    float activation_min; /**< any, -infinity for none */
    float activation_max; /**< >= activation_min */
} ts_svdf_f32_params;

/**
 * @brief Each row of the state moves one step and takes a feature in; a unit's
 * output is what its rows and the time filters give.
 *
 * @param params sizes and range, a literal at the call so that the compiler
 * specialises
 * @param[in] input float `[B, I]`
 * @param[in] feature float `[U * rank, I]`
 * @param[in] time float `[U * rank, M]`
 * @param[in] bias float `[U]`
 * @param[out] output float `[B, U]`, [activation_min, activation_max]
 * @param[in,out] state float `[B, U * rank, M]`
 */
static inline __attribute__((always_inline)) void
ts_svdf_f32(const ts_svdf_f32_params *params, const float *input, const float *feature,
            const float *time, const float *bias, float *output, float *state)
{
    const int32_t last = params->memory - 1;
    for (int32_t b = 0; b < params->batches; b++) {
        const float *x = input + b * params->in_features;
        const float *feature_row = feature;
        const float *time_row = time;
        for (int32_t u = 0; u < params->units; u++) {
            float sum = bias[u];
            for (int32_t r = 0; r < params->rank; r++) {
                for (int32_t m = 0; m < last; m++) {
                    state[m] = state[m + 1];
                }
                float newest = 0.0F;
                for (int32_t i = 0; i < params->in_features; i++) {
                    newest += feature_row[i] * x[i];
                }
                state[last] = newest;
                float part = 0.0F;
                for (int32_t m = 0; m < params->memory; m++) {
                    part += time_row[m] * state[m];
                }
                sum += part;
                feature_row += params->in_features;
                time_row += params->memory;
                state += params->memory;
            }
            *output++ = sum < params->activation_min   ? params->activation_min
                        : sum > params->activation_max ? params->activation_max
                                                       : sum;
        }
    }
}

#endif
