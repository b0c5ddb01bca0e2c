/**
 * @file
 * @brief One term of ADD_N on int8, in portable C.
 */
#ifndef TS_ADD_N_S8_H
#define TS_ADD_N_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_add_n_s8(). */
typedef struct {
    int32_t elements;          /**< > 0 */
    int32_t is_first;          /**< 1 if no term was added before */
    int32_t is_last;           /**< 1 if the output is to be written */
    int32_t input_offset;      /**< -zero_point, [-127, 128] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 0] */
} ts_add_n_s8_params;

/**
 * @brief `sums[e] += input[e] + offset`; behind the last term the output is requantized from it.
 *
 * The first sum begins with the offset, and sums are raised by 19 bits modulo 2^32, as in the
 * reference.
 *
 * @param params size and scales, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[elements]`
 * @param[out] output int8 `[elements]`, written by the last call only
 * @param[in,out] scratch uint32 `[elements]`, the sums from one call to the next
 */
static inline __attribute__((always_inline)) void ts_add_n_s8(const ts_add_n_s8_params *params,
                                                              const int8_t *input, int8_t *output,
                                                              uint8_t *scratch)
{
    uint32_t *const sums = (uint32_t *)(void *)scratch;
    for (int32_t e = 0; e < params->elements; e++) {
        const uint32_t before = params->is_first ? (uint32_t)params->input_offset : sums[e];
        const uint32_t sum = before + (uint32_t)(input[e] + params->input_offset);
        if (params->is_last) {
            output[e] = ts_offset_clamp_s8(
                ts_requantize(ts_wrap_s32(sum << 19), params->output_multiplier,
                              params->output_shift),
                params->output_offset, -128, 127);
        } else {
            sums[e] = sum;
        }
    }
}

#endif
