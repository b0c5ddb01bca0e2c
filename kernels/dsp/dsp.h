/**
 * @file
 * @brief The DSP instructions that the tuned int8 kernels are made of, and their requantization.
 *
 * What <arm_acle.h> has is taken from there. Words hold pairs of 16-bit numbers; the first is in
 * the low half.
 */
#ifndef TS_DSP_H
#define TS_DSP_H

#include <arm_acle.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** Read four bytes, wherever they lie. */
static inline uint32_t ts_load_word(const void *place)
{
    uint32_t word;
    memcpy(&word, place, sizeof word);
    return word;
}

/** Bytes 0 and 2 as a pair of signed numbers. */
static inline uint32_t ts_even_bytes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

/** Bytes 1 and 3 as a pair of signed numbers. */
static inline uint32_t ts_odd_bytes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/** The low half of `a`, and the low half of `b` above it. */
static inline uint32_t ts_low_halves(uint32_t a, uint32_t b)
{
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}

/** The high half of `a` below, and the high half of `b`. */
static inline uint32_t ts_high_halves(uint32_t a, uint32_t b)
{
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(b), "r"(a));
    return pair;
}

/** `offset + a * b / 2^32`, rounded to nearest, halves up. */
static inline int32_t ts_high_mul_add(int32_t a, int32_t b, int32_t offset)
{
    int32_t sum;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(offset));
    return sum;
}

/**
 * @brief ts_requantize() and the output's offset, in two or three instructions.
 *
 * `acc * m / 2^31` is `acc + acc * (2 * m - 2^32) / 2^32`, rounded alike. Rounding `y / 2^n` with
 * halves away from zero is rounding `y`, less one if it is negative, with halves up; multiplied by
 * 2^(32 - n) the high half of the product is the quotient.
 *
 * @param acc any
 * @param multiplier `2 * m - 2^32` of the Q0.31 multiplier m
 * @param power `2^(32 - n)` of a shift to the right by n, n in [2, 31]; 0 if m is 0
 * @param offset zero point of the output
 * @param has_sign false if what is below `offset` is clamped to `offset` or above anyway: there
 * the rounding of negative numbers does not matter
 */
static inline __attribute__((always_inline)) int32_t
ts_requantize_short(int32_t acc, int32_t multiplier, int32_t power, int32_t offset, bool has_sign)
{
    int32_t scaled = ts_high_mul_add(acc, multiplier, acc);
    if (has_sign) {
        scaled += scaled >> 31;
    }
    return ts_high_mul_add(scaled, power, offset);
}

#endif
