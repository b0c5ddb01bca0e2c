/**
 * @file
 * @brief SVDF on int8, the memory int16, in portable C.
 */
#ifndef TS_SVDF_S8_S16_H
#define TS_SVDF_S8_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_svdf_s8_s16(). */
typedef struct {
    int32_t batches;           /**< B, > 0 */
    int32_t in_features;       /**< I, > 0 */
    int32_t units;             /**< U, > 0 */
    int32_t rank;              /**< filters a unit, > 0 */
    int32_t memory;            /**< M, > 0 */
    int32_t input_offset;      /**< -zero_point of the input, [-127, 128] */
    int32_t state_zero_point;  /**< 0 */
    int32_t state_multiplier;  /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t state_shift;       /**< left if > 0, [-31, 30] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 30] */
} ts_svdf_s8_s16_params;

/**
 * @brief Each row of the state moves one step and takes a feature in; a unit's output is what its
 * rows and the time filters give.
 *
 * The newest value is limited to int16 before the zero point is added, and wraps then, as the
 * reference has it.
 *
 * @param params sizes and quantization, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[B, I]`, [-128, 127]
 * @param[in] feature int8 `[U * rank, I]`, [-128, 127]
 * @param[in] time int16 `[U * rank, M]`
 * @param[in] bias int32 `[U]`
 * @param[out] output int8 `[B, U]`, [-128, 127]
 * @param[in,out] state int16 `[B, U * rank, M]`
 */
static inline __attribute__((always_inline)) void
ts_svdf_s8_s16(const ts_svdf_s8_s16_params *params, const int8_t *input, const int8_t *feature,
               const int16_t *time, const int32_t *bias, int8_t *output, int16_t *state)
{
    const int32_t last = params->memory - 1;
    for (int32_t b = 0; b < params->batches; b++) {
        const int8_t *x = input + b * params->in_features;
        const int8_t *feature_row = feature;
        const int16_t *time_row = time;
        for (int32_t u = 0; u < params->units; u++) {
            uint32_t acc = (uint32_t)bias[u];
            for (int32_t r = 0; r < params->rank; r++) {
                const uint32_t dot =
                    ts_dot_s8(0, x, feature_row, params->in_features, params->input_offset);
                const int32_t scaled =
                    ts_requantize(ts_wrap_s32(dot), params->state_multiplier, params->state_shift);
                const int32_t limited = scaled < INT16_MIN   ? INT16_MIN
                                        : scaled > INT16_MAX ? INT16_MAX
                                                             : scaled;
                for (int32_t m = 0; m < last; m++) {
                    state[m] = state[m + 1];
                }
                state[last] = (int16_t)(limited + params->state_zero_point);
                for (int32_t m = 0; m < params->memory; m++) {
                    acc += (uint32_t)(time_row[m] * (state[m] - params->state_zero_point));
                }
                feature_row += params->in_features;
                time_row += params->memory;
                state += params->memory;
            }
            const int32_t scaled =
                ts_requantize(ts_wrap_s32(acc), params->output_multiplier, params->output_shift);
            *output++ = ts_offset_clamp_s8(scaled, params->output_offset, INT8_MIN, INT8_MAX);
        }
    }
}

#endif
