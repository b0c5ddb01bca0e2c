/**
 * @file
 * @brief Requantization on Armv6-M, which has no long multiplication: exact, of three short ones.
 *
 * The Q0.31 multiplier m of a channel is cut in three signed digits, so that
 *
 *     acc * m / 2^cut = acc * m1 + (acc * m2 + (acc * m3 >> 10) >> 11)
 *
 * rounded down, with no product beyond 32 bits; the compiler has seen to that
 * (compiler/variants/_requantize_v6m.py). One unit of the reference's first rounding is 2^(31 - cut)
 * of that. The second rounding is the shift to the right whose last bit, the carry, is added.
 *
 * A channel's two words:
 * - low: m3 in bits 0 to 15, m2 in bits 16 to 31
 * - high: how far to shift in bits 0 to 7, m1 in bits 16 to 31
 */
#ifndef TS_REQUANTIZE_V6M_H
#define TS_REQUANTIZE_V6M_H

#include <stdint.h>

/** The multiplication: 10 cycles. `scaled` is what comes out, and its sign is in the flags. */
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
 * The first rounding, 3 cycles: halves up, and less one if negative, which makes the second round
 * halves away from zero.
 */
#define TS_V6M_ROUND(scaled, half, sign)                                                           \
    "bpl 1f\n\t"                                                                                   \
    "add " scaled ", " sign "\n"                                                                   \
    "1:\n\t"                                                                                       \
    "add " scaled ", " half "\n\t"

/** The second rounding, and the limits of int8: 6 or 7 cycles. */
#define TS_V6M_SATURATE(scaled, high, offset)                                                      \
    "asrs " scaled ", " high "\n\t"                                                                \
    "adcs " scaled ", " offset "\n\t"                                                              \
    "cmp " scaled ", #255\n\t"                                                                     \
    "bls 2f\n\t"                                                                                   \
    "asrs " scaled ", " scaled ", #31\n\t"                                                         \
    "mvns " scaled ", " scaled "\n"                                                                \
    "2:\n\t"                                                                                       \
    "subs " scaled ", #128\n\t"

/**
 * @brief Text of the instructions that requantize one accumulator: 19 or 20 cycles.
 *
 * Operands are names of registers, as text; all low but `half` and `sign`, which may be high. The
 * flags change, and so do `low` and `scaled`.
 *
 * @param acc accumulator with its bias, kept
 * @param low first word of the channel, lost
 * @param high second word of the channel, kept
 * @param scaled receives the output in its low byte
 * @param half half a unit of the first rounding
 * @param sign less one unit; anything not above 0 if outputs below the zero point are clamped to
 * it anyway
 * @param offset zero point of the output, plus 128, kept
 */
#define TS_V6M_REQUANTIZE(acc, low, high, scaled, half, sign, offset)                              \
    TS_V6M_SCALE(acc, low, high, scaled)                                                           \
    TS_V6M_ROUND(scaled, half, sign)                                                               \
    TS_V6M_SATURATE(scaled, high, offset)

/**
 * @brief Requantize one accumulator and limit it to int8.
 * @param acc accumulator with its bias
 * @param low first word of the channel
 * @param high second word of the channel
 * @param half half a unit of the first rounding
 * @param offset zero point of the output plus 128, [0, 255]
 */
static inline int8_t ts_requantize_v6m(int32_t acc, uint32_t low, uint32_t high, int32_t half,
                                       int32_t offset)
{
    int32_t scaled;
    const int32_t sign = -2 * half;
    __asm__(".syntax unified\n\t" TS_V6M_REQUANTIZE("%[acc]", "%[low]", "%[high]", "%[scaled]",
                                                    "%[half]", "%[sign]", "%[offset]")
            : [low] "+l"(low), [scaled] "=&l"(scaled)
            : [acc] "l"(acc), [high] "l"(high), [offset] "l"(offset), [half] "r"(half),
              [sign] "r"(sign)
            : "cc");
    return (int8_t)scaled;
}

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
