/**
 * @file
 * @brief SOFTMAX on float32, in portable C.
 */
#ifndef TS_SOFTMAX_F32_H
#define TS_SOFTMAX_F32_H

#include <stdint.h>

#include "math_f32.h"
#include "quant.h"

/** Parameters of ts_softmax_f32(). */
typedef struct {
    int32_t rows;  /**< > 0 */
    int32_t depth; /**< length of a row, > 0 */
    float beta;    /**< > 0 */
} ts_softmax_f32_params;

/**
 * @brief `output[r,d] = exp(beta * (input[r,d] - max)) / sum`, maximum and sum over the row.
 *
 * Sums in single precision and in order: the order decides the last bit.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[rows, depth]`
 * @param[out] output float `[rows, depth]`, [0, 1]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_softmax_f32(const ts_softmax_f32_params *params, const float *input, float *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        float largest = -0x1.fffffep+127F;
        for (int32_t d = 0; d < params->depth; d++) {
            largest = input[d] > largest ? input[d] : largest;
        }
        float sum = 0.0F;
        for (int32_t d = 0; d < params->depth; d++) {
            output[d] = ts_exp_f32((input[d] - largest) * params->beta);
            sum += output[d];
        }
        for (int32_t d = 0; d < params->depth; d++) {
            output[d] /= sum;
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
