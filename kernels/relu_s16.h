/**
 * @file
 * @brief RELU and its kin on int16, in portable C.
 */
#ifndef TS_RELU_S16_H
#define TS_RELU_S16_H

#include <stdint.h>

#include "quant.h"
#include "quant_s16.h"

/** Parameters of ts_relu_s16(). */
typedef struct {
    int32_t elements;       /**< > 0 */
    int32_t multiplier;     /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;          /**< left if > 0, [-31, 30] */
    int32_t activation_min; /**< [-32768, 32767] */
    int32_t activation_max; /**< at least activation_min */
} ts_relu_s16_params;

/**
 * @brief `output[e] = clamp(requantize(input[e]))`.
 *
 * @param params size and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`, [-32768, 32767]
 * @param[out] output int16 `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void ts_relu_s16(const ts_relu_s16_params *params,
                                                              const int16_t *input, int16_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = ts_offset_clamp_s16(ts_requantize(input[e], params->multiplier, params->shift),
                                        0, params->activation_min, params->activation_max);
    }
}

#endif
