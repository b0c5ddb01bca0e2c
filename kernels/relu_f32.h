/**
 * @file
 * @brief RELU and its kin on float32, in portable C.
 */
#ifndef TS_RELU_F32_H
#define TS_RELU_F32_H

#include <stdint.h>

#include "float.h"

/** Parameters of ts_relu_f32(). */
typedef struct {
    int32_t elements; /**< > 0 */
    float low;        /**< finite */
    float high;       /**< above low, may be infinite */
} ts_relu_f32_params;

/**
 * @brief `output[e] = clamp(input[e])`; NaN stays.
 *
 * @param params size and range, a literal at the call so that the compiler specialises
 * @param[in] input float `[elements]`, any
 * @param[out] output float `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void ts_relu_f32(const ts_relu_f32_params *params,
                                                              const float *input, float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = ts_clamp_f32(input[e], params->low, params->high);
    }
}

#endif
