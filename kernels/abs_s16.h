/**
 * @file
 * @brief ABS on int16, in portable C.
 */
#ifndef TS_ABS_S16_H
#define TS_ABS_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_abs_s16(). */
typedef struct {
    int32_t elements;          /**< > 0 */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 30] */
} ts_abs_s16_params;

/**
 * @brief `output[e] = clamp(requantize(|input[e]|))`.
 *
 * @param params size and scale, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`, any
 * @param[out] output int16 `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void ts_abs_s16(const ts_abs_s16_params *params,
                                                             const int16_t *input, int16_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t x = input[e];
        const int32_t y =
            ts_requantize(x < 0 ? -x : x, params->output_multiplier, params->output_shift);
        output[e] = (int16_t)(y < INT16_MIN ? INT16_MIN : y > INT16_MAX ? INT16_MAX : y);
    }
}

#endif
