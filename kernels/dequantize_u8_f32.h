/**
 * @file
 * @brief DEQUANTIZE from uint8 to float32, in portable C.
 */
#ifndef TS_DEQUANTIZE_U8_F32_H
#define TS_DEQUANTIZE_U8_F32_H

#include <stdint.h>

/** Parameters of ts_dequantize_u8_f32(). */
typedef struct {
    int32_t elements;   /**< > 0 */
    float scale;        /**< of the input, > 0 */
    int32_t zero_point; /**< of the input, [0, 255] */
} ts_dequantize_u8_f32_params;

/**
 * @brief `output[e] = scale * (input[e] - zero_point)`.
 *
 * @param params size and quantization, a literal at the call so that the compiler specialises
 * @param[in] input uint8 `[elements]`, [0, 255]
 * @param[out] output float `[elements]`
 */
static inline __attribute__((always_inline)) void
ts_dequantize_u8_f32(const ts_dequantize_u8_f32_params *params, const uint8_t *input, float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = params->scale * (float)(input[e] - params->zero_point);
    }
}

#endif
