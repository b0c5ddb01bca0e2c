/**
 * @file
 * @brief CUMSUM on int8, in portable C.
 */
#ifndef TS_CUMSUM_S8_H
#define TS_CUMSUM_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_cumsum_s8(). */
typedef struct {
    int32_t outer;             /**< elements before the axis, > 0 */
    int32_t length;            /**< of the axis, > 0 */
    int32_t inner;             /**< elements behind the axis, > 0 */
    int32_t is_exclusive;      /**< 1 if an element does not count to its own sum */
    int32_t is_reversed;       /**< 1 if sums begin at the end */
    int32_t input_offset;      /**< -zero_point, [-127, 128] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 0] */
} ts_cumsum_s8_params;

/**
 * @brief `output[o,n,i] = requantize(offset + sum over m up to n of (input[o,m,i] + offset))`.
 *
 * @param params sizes and scales, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[outer, length, inner]`
 * @param[out] output int8 `[outer, length, inner]`
 */
static inline __attribute__((always_inline)) void
ts_cumsum_s8(const ts_cumsum_s8_params *params, const int8_t *input, int8_t *output)
{
    const int32_t step = params->is_reversed ? -params->inner : params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < params->inner; i++) {
            int32_t at = o * params->length * params->inner + i;
            at += params->is_reversed ? (params->length - 1) * params->inner : 0;
            uint32_t sum = (uint32_t)params->input_offset;
            for (int32_t n = 0; n < params->length; n++, at += step) {
                const uint32_t before = sum;
                sum += (uint32_t)(input[at] + params->input_offset);
                /* Raised by 19 bits, modulo 2^32, as the reference does. */
                const int32_t raised = ts_wrap_s32((params->is_exclusive ? before : sum) << 19);
                output[at] = ts_offset_clamp_s8(
                    ts_requantize(raised, params->output_multiplier, params->output_shift),
                    params->output_offset, -128, 127);
            }
        }
    }
}

#endif
