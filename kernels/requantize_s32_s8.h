/**
 * @file
 * @brief QUANTIZE from int32 to int8, in portable C.
 */
#ifndef TS_REQUANTIZE_S32_S8_H
#define TS_REQUANTIZE_S32_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_requantize_s32_s8(). */
typedef struct {
    int32_t elements;      /**< > 0 */
    int32_t input_offset;  /**< 0 */
    int32_t output_offset; /**< zero_point of the output, [-128, 127] */
    int32_t multiplier;    /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;         /**< left if > 0, [-31, 30] */
} ts_requantize_s32_s8_params;

/**
 * @brief `output[e] = clamp(requantize(input[e] + input_offset) + output_offset)`.
 *
 * The offset of int32 is 0.
 *
 * @param params size and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int32 `[elements]`, any
 * @param[out] output int8 `[elements]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void
ts_requantize_s32_s8(const ts_requantize_s32_s8_params *params, const int32_t *input,
                     int8_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t scaled = ts_requantize(input[e], params->multiplier, params->shift);
        output[e] = ts_offset_clamp_s8(scaled, params->output_offset, -128, 127);
    }
}

#endif
