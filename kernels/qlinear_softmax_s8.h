/**
 * @file
 * @brief QLINEAR_SOFTMAX on int8, in portable C.
 */
#ifndef TS_QLINEAR_SOFTMAX_S8_H
#define TS_QLINEAR_SOFTMAX_S8_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_qlinear_softmax_s8(). */
typedef struct {
    int32_t rows;       /**< > 0 */
    int32_t depth;      /**< > 0 */
    float steps;        /**< of the output in 1, [1, 2^20] */
    int32_t zero_point; /**< of the output, [-128, 127] */
} ts_qlinear_softmax_s8_params;

/**
 * @brief `output[r,i] = clamp(round(power * steps / sum of the row's powers) +
 * zero_point)`.
 *
 * A power is `table[input[r,i] - largest of the row + 255]`, so that the
 * largest is table[255].
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[rows, depth]`, [-128, 127]
 * @param[in] table float `[256]`, rising, >= 0; the sum of `depth` of them is
 * finite
 * @param[out] output int8 `[rows, depth]`, [-128, 127]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_qlinear_softmax_s8(const ts_qlinear_softmax_s8_params *params, const int8_t *input,
                      const float *table, int8_t *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        int8_t largest = input[0];
        for (int32_t i = 1; i < params->depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        const int32_t shift = 255 - largest;
        float sum = 0.0F;
        for (int32_t i = 0; i < params->depth; i++) {
            sum += table[input[i] + shift];
        }
        for (int32_t i = 0; i < params->depth; i++) {
            const float share = table[input[i] + shift] * params->steps / sum;
            const float bounded = ts_clamp_f32(share, 0.0F, 512.0F);
            output[i] = ts_offset_clamp_s8(ts_round_f32(bounded, 1), params->zero_point, -128, 127);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
