/**
 * @file
 * @brief QUANTIZE from float32 to int16, in portable C.
 */
#ifndef TS_QUANTIZE_F32_S16_H
#define TS_QUANTIZE_F32_S16_H

#include <stdint.h>

#include "float.h"
#include "quant_s16.h"

/** Parameters of ts_quantize_f32_s16(). */
typedef struct {
    int32_t elements;       /**< > 0 */
    float scale;            /**< of the output, > 0 */
    int32_t zero_point;     /**< of the output, [-32768, 32767] */
    int32_t rounds_to_even; /**< halves: 1 to even, 0 away from zero */
} ts_quantize_f32_s16_params;

/**
 * @brief `output[e] = clamp(round(input[e] / scale) + zero_point)`.
 *
 * Quotients beyond 65536 are clamped before the conversion to an integer, which they could
 * overflow; no zero point brings them back into range.
 *
 * @param params size and quantization, a literal at the call so that the compiler specialises
 * @param[in] input float `[elements]`, any; NaN gives -32768
 * @param[out] output int16 `[elements]`, [-32768, 32767]
 */
static inline __attribute__((always_inline)) void
ts_quantize_f32_s16(const ts_quantize_f32_s16_params *params, const float *input, int16_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const float scaled = input[e] / params->scale;
        const float above = scaled > -65536.0F ? scaled : -65536.0F; /* NaN is not above */
        const float bounded = above < 65536.0F ? above : 65536.0F;
        output[e] = ts_offset_clamp_s16(ts_round_f32(bounded, params->rounds_to_even),
                                        params->zero_point, -32768, 32767);
    }
}

#endif
