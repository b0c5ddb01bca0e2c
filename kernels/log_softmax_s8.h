/**
 * @file
 * @brief LOG_SOFTMAX on int8, in portable C.
 */
#ifndef TS_LOG_SOFTMAX_S8_H
#define TS_LOG_SOFTMAX_S8_H

#include <stdint.h>

#include "quant.h"
#include "softmax_s8.h"

/** Parameters of ts_log_softmax_s8(). */
typedef struct {
    int32_t rows;               /**< > 0 */
    int32_t depth;              /**< length of a row, [1, 4095]: the sum then fits 31 bits */
    int32_t table_length;       /**< number of distances that count, [1, 256] */
    int32_t radius;             /**< largest distance that Q5.26 holds, >= 0 */
    int32_t reverse_multiplier; /**< Q0.31: from Q5.26 back to distances */
    int32_t reverse_shift;      /**< [-31, 0] */
} ts_log_softmax_s8_params;

/** `a * 2`, limited to INT32_MAX, for a >= 0. */
static inline int32_t ts_log_softmax_s8_twice(int32_t a) { return a < 1 << 30 ? a * 2 : INT32_MAX; }

/**
 * @brief Logarithm in Q5.26 of a sum of exponentials: a power of two and a rational function.
 * @param sum Q12.19, at least one and below 2^31
 */
static inline int32_t ts_log_softmax_s8_log(int32_t sum)
{
    const int32_t quarter = 1 << 23;             /* Q6.25 */
    const int32_t root_half = 1518500250;        /* sqrt(1/2) */
    const int32_t fourth_root_half = 1805811301; /* its square root */
    const int32_t headroom = __builtin_clz((uint32_t)sum) - 1;
    const int32_t r_a = ts_log_softmax_s8_twice(ts_high_mul(sum << headroom, root_half));
    const int32_t power_a = (12 - headroom - 1) * (1 << 25) + quarter;
    const int32_t headroom_b = __builtin_clz((uint32_t)ts_high_mul(sum, root_half)) - 1;
    const int32_t r_b = headroom_b > headroom ? INT32_MAX : sum << headroom_b;
    const int32_t power_b = (12 - headroom_b) * (1 << 25) - quarter;
    const int32_t r = r_a < r_b ? r_a : r_b;
    const int32_t power = power_a > power_b ? power_a : power_b;
    const int32_t q = (r - fourth_root_half) * 2;
    const int32_t square = ts_high_mul(q, q);
    const int32_t numerator = ts_high_mul(q, r) + ts_high_mul(ts_high_mul(q, square), 117049297);
    const int32_t half_sum = (int32_t)(((uint32_t)r + (uint32_t)fourth_root_half + 1U) >> 1);
    const int32_t minus_one =
        ts_high_mul(half_sum, 1057819769 + q + ts_high_mul(127690142, square)) +
        ts_high_mul(638450708, q);
    const int32_t reciprocal =
        ts_softmax_s8_reciprocal((int32_t)(((uint32_t)minus_one + (UINT32_C(1) << 31)) >> 1));
    const int32_t scaled = ts_rounding_shift_right(numerator, 6);
    return (ts_high_mul(power, 1488522236) + ts_high_mul(scaled, reciprocal)) * 2;
}

/**
 * @brief `output[r,d] = 16 * (input[r,d] - max - log(sum exp(input[r,.] - max))) + 127`, in the
 * reference's fixed point: scale 1/16, zero point 127.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[rows, depth]`, [-128, 127]
 * @param[in] differences int32 `[table_length]`, Q5.26: minus the distance from the row's maximum
 * @param[in] exps int32 `[table_length]`, Q0.31: exp of the differences
 * @param[out] output int8 `[rows, depth]`, [-128, 127]; may be the input
 */
static inline __attribute__((always_inline)) void
ts_log_softmax_s8(const ts_log_softmax_s8_params *params, const int8_t *input,
                  const int32_t *differences, const int32_t *exps, int8_t *output)
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
                sum += (uint32_t)ts_rounding_shift_right(exps[distance], 12);
            }
        }
        const int32_t log = ts_log_softmax_s8_log((int32_t)sum);
        const int32_t least = ts_requantize((int32_t)((uint32_t)log + (UINT32_C(1) << 31)),
                                            params->reverse_multiplier, params->reverse_shift);
        const int32_t reach = -least < params->radius + 1 ? -least : params->radius + 1;
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t distance = largest - input[d];
            int32_t q = -256;
            if (distance < reach && distance < params->table_length) {
                const int64_t exact = (int64_t)differences[distance] - log;
                q = ts_rounding_shift_right((int32_t)(exact < INT32_MIN ? INT32_MIN : exact), 22);
            }
            output[d] = ts_offset_clamp_s8(q, 127, -128, 127);
        }
        input += params->depth;
        output += params->depth;
    }
}

#endif
