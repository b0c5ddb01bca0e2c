/**
 * @file
 * @brief DEQUANTIZE from int16 to float32, in portable C.
 */
#ifndef TS_DEQUANTIZE_S16_F32_H
#define TS_DEQUANTIZE_S16_F32_H

#include <stdint.h>

/** Parameters of ts_dequantize_s16_f32(). */
typedef struct {
    int32_t elements;   /**< > 0 */
    float scale;        /**< of the input, > 0 */
    int32_t zero_point; /**< of the input, [-32768, 32767] */
} ts_dequantize_s16_f32_params;

/**
 * @brief `output[e] = scale * (input[e] - zero_point)`.
 *
 * @param params size and quantization, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`, [-32768, 32767]
 * @param[out] output float `[elements]`
 */
static inline __attribute__((always_inline)) void
ts_dequantize_s16_f32(const ts_dequantize_s16_f32_params *params, const int16_t *input,
                      float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = params->scale * (float)(input[e] - params->zero_point);
    }
}

#endif
