/**
 * @file
 * @brief QLINEAR_GLOBAL_AVERAGE_POOL on int8, in portable C.
 */
#ifndef TS_QLINEAR_GLOBAL_AVERAGE_POOL_S8_H
#define TS_QLINEAR_GLOBAL_AVERAGE_POOL_S8_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_qlinear_global_average_pool_s8(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t positions;    /**< H * W, [1, 2^22] */
    int32_t channels;     /**< C, > 0 */
    int32_t input_offset; /**< -zero_point of the input, [-127, 128] */
    float ratio;          /**< input scale over output scale and positions, [0, 2^12) */
    int32_t zero_point;   /**< of the output, [-128, 127] */
} ts_qlinear_global_average_pool_s8_params;

/**
 * @brief `output[n,c] = clamp(round(sum of (input[n,p,c] + input_offset) *
 * ratio) + zero_point)`.
 *
 * @param params sizes and scales, a literal at the call so that the compiler
 * specialises
 * @param[in] input int8 `[N, positions, C]`, [-128, 127]
 * @param[out] output int8 `[N, C]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void
ts_qlinear_global_average_pool_s8(const ts_qlinear_global_average_pool_s8_params *params,
                                  const int8_t *input, int8_t *output)
{
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * params->positions * params->channels;
        for (int32_t c = 0; c < params->channels; c++) {
            int32_t sum = 0;
            for (int32_t p = 0; p < params->positions; p++) {
                sum += image[p * params->channels + c] + params->input_offset;
            }
            const float scaled = ts_clamp_f32((float)sum * params->ratio, -512.0F, 512.0F);
            *output++ = ts_offset_clamp_s8(ts_round_f32(scaled, 1), params->zero_point, -128, 127);
        }
    }
}

#endif
