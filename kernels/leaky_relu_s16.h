/**
 * @file
 * @brief LEAKY_RELU on int16, in portable C.
 */
#ifndef TS_LEAKY_RELU_S16_H
#define TS_LEAKY_RELU_S16_H

#include <stdint.h>

#include "quant.h"
#include "quant_s16.h"

/** Parameters of ts_leaky_relu_s16(). */
typedef struct {
    int32_t elements;          /**< > 0 */
    int32_t multiplier;        /**< of what is not negative: Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;             /**< left if > 0, [-31, 30] */
    int32_t alpha_multiplier;  /**< of what is negative, the slope's sign taken off */
    int32_t alpha_shift;       /**< left if > 0, [-31, 30] */
    int32_t is_alpha_negative; /**< 0 or 1 */
} ts_leaky_relu_s16_params;

/**
 * @brief `output[e] = clamp(input[e] >= 0 ? requantize(input[e]) : alpha * requantize(input[e]))`.
 *
 * @param params size and scales, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`, [-32768, 32767]
 * @param[out] output int16 `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_leaky_relu_s16(const ts_leaky_relu_s16_params *params, const int16_t *input, int16_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t x = input[e];
        const int32_t scaled =
            x >= 0 ? ts_requantize(x, params->multiplier, params->shift)
                   : ts_requantize(x, params->alpha_multiplier, params->alpha_shift);
        const int32_t is_turned = x < 0 && params->is_alpha_negative;
        const int32_t y = is_turned ? ts_wrap_s32(0U - (uint32_t)scaled) : scaled;
        output[e] = ts_offset_clamp_s16(y, 0, -32768, 32767);
    }
}

#endif
