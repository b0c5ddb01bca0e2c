/**
 * @file
 * @brief QUANTIZE from float32 to int8, in portable C.
 */
#ifndef TS_QUANTIZE_F32_S8_H
#define TS_QUANTIZE_F32_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_quantize_f32_s8(). */
typedef struct {
    int32_t elements;   /**< > 0 */
    float scale;        /**< of the output, > 0 */
    int32_t zero_point; /**< of the output, [-128, 127] */
} ts_quantize_f32_s8_params;

/**
 * @brief `x` rounded to nearest, halves away from zero, for |x| <= 2^22.
 *
 * Adding 1/2 and truncating would round 0.49999997 up; taking the integer part off is exact.
 */
static inline int32_t ts_quantize_f32_s8_round(float x)
{
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole;
    return whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0);
}

/**
 * @brief `output[e] = clamp(round(input[e] / scale) + zero_point)`, halves away from zero.
 *
 * Quotients beyond 256 are clamped before the conversion to an integer, which they could overflow;
 * no zero point brings them back into range.
 *
 * @param params size and quantization, a literal at the call so that the compiler specialises
 * @param[in] input float `[elements]`, any; NaN gives -128
 * @param[out] output int8 `[elements]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void
ts_quantize_f32_s8(const ts_quantize_f32_s8_params *params, const float *input, int8_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const float scaled = input[e] / params->scale;
        const float above = scaled > -256.0F ? scaled : -256.0F; /* NaN is not above */
        const float bounded = above < 256.0F ? above : 256.0F;
        output[e] =
            ts_offset_clamp_s8(ts_quantize_f32_s8_round(bounded), params->zero_point, -128, 127);
    }
}

#endif
