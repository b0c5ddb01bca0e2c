/**
 * @file
 * @brief QUANTIZE from int8 to uint8, in portable C.
 */
#ifndef TS_REQUANTIZE_S8_U8_H
#define TS_REQUANTIZE_S8_U8_H

#include <stdint.h>

#include "quant.h"
#include "quant_u8.h"

/** Parameters of ts_requantize_s8_u8(). */
typedef struct {
    int32_t elements;      /**< > 0 */
    int32_t input_offset;  /**< -zero_point of the input, [-127, 128] */
    int32_t output_offset; /**< zero_point of the output, [0, 255] */
    int32_t multiplier;    /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;         /**< left if > 0, [-31, 30] */
} ts_requantize_s8_u8_params;

/**
 * @brief `output[e] = clamp(requantize(input[e] + input_offset) + output_offset)`.
 *
 * @param params size and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[elements]`, [-128, 127]
 * @param[out] output uint8 `[elements]`, [0, 255]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_requantize_s8_u8(const ts_requantize_s8_u8_params *params, const int8_t *input, uint8_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t scaled =
            ts_requantize(input[e] + params->input_offset, params->multiplier, params->shift);
        output[e] = ts_offset_clamp_u8(scaled, params->output_offset, 0, 255);
    }
}

#endif
