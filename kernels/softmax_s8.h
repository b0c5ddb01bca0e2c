/**
 * @file
 * @brief SOFTMAX on int8, in portable C.
 */
#ifndef TS_SOFTMAX_S8_H
#define TS_SOFTMAX_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_softmax_s8(). */
typedef struct {
    int32_t rows;         /**< > 0 */
    int32_t depth;        /**< length of a row, [1, 8191]: the sum then fits 32 bits */
    int32_t table_length; /**< number of exponentials that are not 0, [1, 256] */
} ts_softmax_s8_params;

/** `1 / d` in Q0.31 for `half = d / 2`, d in [1, 2) in Q0.31: three Newton steps in Q2.29. */
static inline int32_t ts_softmax_s8_reciprocal(int32_t half)
{
    const int32_t one = 1 << 29;
    int32_t x = 1515870810 + ts_high_mul(half, -1010580540); /* 48/17 - 32/17 * half */
    for (int32_t step = 0; step < 3; step++) {
        x += ts_high_mul(x, one - ts_high_mul(half, x)) * 4;
    }
    return x < 1 << 30 ? x * 2 : INT32_MAX; /* 1/1 does not fit */
}

/**
 * @brief `output[r,d] = 256 * exp(input[r,d]) / sum exp(input[r,.]) - 128`, in the reference's
 * fixed point: scale 1/256, zero point -128.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[rows, depth]`, [-128, 127]
 * @param[in] table int32 `[table_length]`, Q0.31: exp of minus the distance from the row's maximum,
 *            in steps of the input, [0, 2^31); entry 0 is 2^31 - 1
 * @param[out] output int8 `[rows, depth]`, [-128, 127]; may be the input
 */
static inline __attribute__((always_inline)) void ts_softmax_s8(const ts_softmax_s8_params *params,
                                                                const int8_t *input,
                                                                const int32_t *table,
                                                                int8_t *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        int32_t largest = -128;
        for (int32_t d = 0; d < params->depth; d++) {
            largest = input[d] > largest ? input[d] : largest;
        }
        uint32_t sum = 0; /* Q12.19; the maximum itself makes it at least 1 */
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t distance = largest - input[d];
            if (distance < params->table_length) {
                sum += (uint32_t)ts_rounding_shift_right(table[distance], 12);
            }
        }
        const int32_t headroom = __builtin_clz(sum);
        const int32_t scale = ts_softmax_s8_reciprocal((int32_t)((sum << headroom) >> 1));
        const int32_t exponent = 12 - headroom + 31 - 8;
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t distance = largest - input[d];
            int32_t q = 0;
            if (distance < params->table_length && exponent < 32) { /* beyond 31 it rounds to 0 */
                q = ts_rounding_shift_right(ts_high_mul(table[distance], scale), exponent);
            }
            output[d] = ts_offset_clamp_s8(q, -128, -128, 127);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
