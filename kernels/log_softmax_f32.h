/**
 * @file
 * @brief LOG_SOFTMAX on float32, in portable C.
 */
#ifndef TS_LOG_SOFTMAX_F32_H
#define TS_LOG_SOFTMAX_F32_H

#include <stdint.h>

#include "math_f32.h"
#include "quant.h"

/** Parameters of ts_log_softmax_f32(). */
typedef struct {
    int32_t rows;  /**< > 0 */
    int32_t depth; /**< length of a row, > 0 */
} ts_log_softmax_f32_params;

/**
 * @brief `output[r,d] = input[r,d] - max - log(sum exp(input[r,.] - max))`, max over the row.
 *
 * Sums in single precision and in order: the order decides the last bit.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[rows, depth]`, finite
 * @param[out] output float `[rows, depth]`, <= 0; may be the input
 */
static inline __attribute__((always_inline)) void
ts_log_softmax_f32(const ts_log_softmax_f32_params *params, const float *input, float *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        float largest = input[0];
        for (int32_t d = 1; d < params->depth; d++) {
            largest = input[d] > largest ? input[d] : largest;
        }
        float sum = 0.0F;
        for (int32_t d = 0; d < params->depth; d++) {
            sum += ts_exp_f32(input[d] - largest);
        }
        const float log_sum = ts_log_f32(sum);
        for (int32_t d = 0; d < params->depth; d++) {
            output[d] = input[d] - largest - log_sum;
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
