/**
 * @file
 * @brief SOFTMAX on int16, in portable C.
 */
#ifndef TS_SOFTMAX_S16_H
#define TS_SOFTMAX_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_softmax_s16(). */
typedef struct {
    int32_t rows;       /**< > 0 */
    int32_t depth;      /**< length of a row, [1, 65536]: the sum then fits 31 bits */
    int32_t multiplier; /**< Q0.31, [2^30, 2^31) or 0: distances to steps of 10 / 65535 */
    int32_t shift;      /**< left if > 0, [-31, 14] */
} ts_softmax_s16_params;

/** `x` limited to int16. */
static inline int32_t ts_softmax_s16_limit(int32_t x)
{
    return x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x;
}

/** Interpolate linearly in a table of 513 entries; x, limited to int16, spans it. */
static inline int32_t ts_softmax_s16_look_up(int32_t x, const int16_t *table)
{
    const int32_t limited = ts_softmax_s16_limit(x);
    const int16_t *base = table + 256 + (limited >> 7);
    return base[0] + (((base[1] - base[0]) * (limited & 127) + 64) >> 7);
}

/**
 * @brief `output[r,d] = 32768 * exp(input[r,d]) / sum exp(input[r,.])`, in the reference's fixed
 * point: scale 1/32768, zero point 0.
 *
 * @param params sizes and scaling, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[rows, depth]`, [-32768, 32767]
 * @param[in] exps int16 `[513]`, Q0.15: exp over [-10, 0]
 * @param[in] reciprocals int16 `[513]`, Q0.15: 1 / (1 + x) over [0, 1]
 * @param[out] output int16 `[rows, depth]`, [0, 32767]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_softmax_s16(const ts_softmax_s16_params *params, const int16_t *input, const int16_t *exps,
               const int16_t *reciprocals, int16_t *output)
{
    for (int32_t r = 0; r < params->rows; r++) {
        int32_t largest = INT16_MIN;
        for (int32_t d = 0; d < params->depth; d++) {
            largest = input[d] > largest ? input[d] : largest;
        }
        int32_t sum = 0; /* Q16.15; the maximum itself makes it almost 1 */
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t steps =
                ts_requantize(input[d] - largest, params->multiplier, params->shift);
            output[d] = (int16_t)ts_softmax_s16_look_up(steps + INT16_MAX, exps);
            sum += output[d];
        }
        const int32_t headroom = __builtin_clz((uint32_t)sum);
        const uint32_t raised = (uint32_t)sum << (headroom - 1);
        const int32_t mantissa = (int32_t)((raised + (1U << 13)) >> 14); /* Q1.16, [1, 2] */
        const int32_t reciprocal =
            ts_softmax_s16_look_up(mantissa - (1 << 15) - (1 << 16), reciprocals);
        const int32_t right = 31 - headroom;
        for (int32_t d = 0; d < params->depth; d++) {
            const uint32_t product = (uint32_t)(output[d] * reciprocal);
            const int32_t scaled = (int32_t)((product + (1U << (right - 1))) >> right);
            output[d] = (int16_t)ts_softmax_s16_limit(scaled);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
