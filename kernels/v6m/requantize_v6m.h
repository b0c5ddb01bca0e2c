/**
 * @file
 * @brief Requantization on Armv6-M, which has no long multiplication: exact, of three short ones.
 *
 * The Q0.31 multiplier m of a channel is cut in three signed digits, so that
 *
 *     acc * m / 2^21 = acc * m1 + (acc * m2 + (acc * m3 >> 10) >> 11)
 *
 * rounded down, with no product beyond 32 bits for accumulators below 2^21; the compiler sees to
 * that (compiler/variants/_requantize_v6m.py). The reference rounds twice, and so does this: a shift
 * to the right leaves the bit that decides in the carry, which is added.
 *
 * A channel's two words:
 * - low: m3 in bits 0 to 15, m2 in bits 16 to 31
 * - high: how far the second rounding shifts in bits 0 to 7, [1, 31]; m1 in bits 16 to 31
 */
#ifndef TS_REQUANTIZE_V6M_H
#define TS_REQUANTIZE_V6M_H

#include <stdint.h>

/** The multiplication: 10 cycles. */
#define TS_V6M_SCALE(acc, low, high, scaled)                                                       \
    "sxth " scaled ", " low "\n\t"                                                                 \
    "muls " scaled ", " acc "\n\t"                                                                 \
    "asrs " scaled ", " scaled ", #10\n\t"                                                         \
    "asrs " low ", " low ", #16\n\t"                                                               \
    "muls " low ", " acc "\n\t"                                                                    \
    "adds " scaled ", " scaled ", " low "\n\t"                                                     \
    "asrs " scaled ", " scaled ", #11\n\t"                                                         \
    "asrs " low ", " high ", #16\n\t"                                                              \
    "muls " low ", " acc "\n\t"                                                                    \
    "adds " scaled ", " scaled ", " low "\n\t"

/**
 * The roundings and the output's offset, 5 cycles: halves up, and less one if negative, which makes
 * the second one round halves away from zero.
 */
#define TS_V6M_ROUND(acc, low, high, scaled, offset)                                               \
    "asrs " low ", " acc ", #31\n\t"                                                               \
    "asrs " scaled ", " scaled ", #10\n\t"                                                         \
    "adcs " scaled ", " low "\n\t"                                                                 \
    "asrs " scaled ", " high "\n\t"                                                                \
    "adcs " scaled ", " offset "\n\t"

/** The limits of int8, of what is 128 too large: 4 or 5 cycles. */
#define TS_V6M_SATURATE(scaled)                                                                    \
    "cmp " scaled ", #255\n\t"                                                                     \
    "bls 1f\n\t"                                                                                   \
    "asrs " scaled ", " scaled ", #31\n\t"                                                         \
    "mvns " scaled ", " scaled "\n"                                                                \
    "1:\n\t"                                                                                       \
    "subs " scaled ", #128\n\t"

/**
 * @brief Text of the instructions that requantize one accumulator: 19 or 20 cycles.
 *
 * Operands are names of low registers, as text. The flags change.
 *
 * @param acc accumulator with its bias, kept
 * @param low first word of the channel, lost
 * @param high second word of the channel, kept
 * @param scaled receives the output in its low byte
 * @param offset zero point of the output, plus 128, kept
 */
#define TS_V6M_REQUANTIZE(acc, low, high, scaled, offset)                                          \
    TS_V6M_SCALE(acc, low, high, scaled)                                                           \
    TS_V6M_ROUND(acc, low, high, scaled, offset)                                                   \
    TS_V6M_SATURATE(scaled)

/**
 * @brief Limit outputs further than int8 does: a fused activation that leaves a part of it.
 * @param[in,out] output int8 `[count]`
 * @param count > 0
 * @param low [-128, 127]
 * @param high [low, 127]
 */
static __attribute__((noinline, unused)) void ts_v6m_clamp(int8_t *output, int32_t count,
                                                           int32_t low, int32_t high)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t value = output[i];
        output[i] = (int8_t)(value < low ? low : value > high ? high : value);
    }
}

#endif
