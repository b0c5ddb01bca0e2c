/**
 * @file
 * @brief DEQUANTIZE from int32 to float32, in portable C.
 */
#ifndef TS_DEQUANTIZE_S32_F32_H
#define TS_DEQUANTIZE_S32_F32_H

#include <stdint.h>

/** Parameters of ts_dequantize_s32_f32(). */
typedef struct {
    int32_t elements;   /**< > 0 */
    float scale;        /**< of the input, > 0 */
    int32_t zero_point; /**< 0 */
} ts_dequantize_s32_f32_params;

/**
 * @brief `output[e] = scale * input[e]`.
 *
 * @param params size and quantization, a literal at the call so that the compiler specialises
 * @param[in] input int32 `[elements]`, any
 * @param[out] output float `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_dequantize_s32_f32(const ts_dequantize_s32_f32_params *params, const int32_t *input,
                      float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = params->scale * (float)input[e];
    }
}

#endif
