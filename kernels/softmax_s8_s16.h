/**
 * @file
 * @brief SOFTMAX on int8 with an int16 output, in portable C.
 */
#ifndef TS_SOFTMAX_S8_S16_H
#define TS_SOFTMAX_S8_S16_H

#include <stdint.h>

#include "quant.h"
#include "softmax_s8.h"

/** Parameters of ts_softmax_s8_s16(). */
typedef struct {
    int32_t rows;         /**< > 0 */
    int32_t depth;        /**< length of a row, [1, 8191]: the sum then fits 32 bits */
    int32_t table_length; /**< number of exponentials that are not 0, [1, 256] */
} ts_softmax_s8_s16_params;

/**
 * @brief `output[r,d] = 65536 * exp(input[r,d]) / sum exp(input[r,.]) - 32768`, in the reference's
 * fixed point: scale 1/65536, zero point -32768.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[rows, depth]`, [-128, 127]
 * @param[in] table int32 `[table_length]`, Q0.31: exp of minus the distance from the row's maximum,
 *            in steps of the input, [0, 2^31); entry 0 is 2^31 - 1
 * @param[out] output int16 `[rows, depth]`, [-32768, 32767]
 */
static inline __attribute__((always_inline)) void
ts_softmax_s8_s16(const ts_softmax_s8_s16_params *params, const int8_t *input, const int32_t *table,
                  int16_t *output)
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
        const int32_t exponent = 12 - headroom + 31 - 16;
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t distance = largest - input[d];
            int32_t q = 0;
            if (distance < params->table_length && exponent < 32) { /* beyond 31 it rounds to 0 */
                q = ts_rounding_shift_right(ts_high_mul(table[distance], scale), exponent);
            }
            output[d] = (int16_t)((q < UINT16_MAX ? q : UINT16_MAX) + INT16_MIN);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
