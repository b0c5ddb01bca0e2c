/**
 * @file
 * @brief ADD and SUB on int8 for cores with DSP instructions: two products an element.
 *
 * The reference rounds both operands to a common scale, adds and rounds again. Here an output is
 * `(start + scale1 * a + scale2 * b) / 2^20`, rounded down; the compiler has found numbers for
 * which that gives the same for all 65,536 pairs of a and b, or does not use the kernel.
 */
#ifndef TS_ADD_DSP_H
#define TS_ADD_DSP_H

#include <stdbool.h>
#include <stdint.h>

#include "broadcast.h"
#include "dsp.h"
#include "quant.h"

/** Parameters of ts_add_dsp(). */
typedef struct {
    int32_t size0;          /**< > 0, the outermost loop */
    int32_t size1;          /**< > 0 */
    int32_t size2;          /**< > 0 */
    int32_t size3;          /**< > 0, the row */
    int32_t input1_stride0; /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1; /**< elements, 0 or more */
    int32_t input1_stride2; /**< elements, 0 or more */
    int32_t input2_stride0; /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1; /**< elements, 0 or more */
    int32_t input2_stride2; /**< elements, 0 or more */
    int32_t scale1;         /**< of the first operand, in 2^-28 of a step of the output */
    int32_t scale2;         /**< of the second operand */
    int32_t start;          /**< what sums start with, in 2^-20 of a step of the output */
    int32_t behind;         /**< what is added behind the rounding of halves by sign */
    int32_t rounds_by_sign; /**< 1: sums below 0 lose 2^-20 of a step; else 0 and `behind` is 0 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_add_dsp_params;

/** What the rows of a layer have in common. */
typedef struct {
    int32_t scale1; /**< see ts_add_dsp_params */
    int32_t scale2; /**< see ts_add_dsp_params */
    int32_t start;  /**< see ts_add_dsp_params */
    int32_t behind; /**< see ts_add_dsp_params */
    int32_t low;    /**< activation_min */
    int32_t high;   /**< activation_max */
} ts_add_dsp_scaling;

/** The number in the upper byte of a word's low half (`is_high`: high half), scaled, onto a sum. */
static inline __attribute__((always_inline)) int32_t ts_add_dsp_scaled(int32_t sum, int32_t scale,
                                                                       uint32_t word, bool is_high)
{
    int32_t result;
    if (is_high) {
        __asm__("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(scale), "r"(word), "r"(sum));
    } else {
        __asm__("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(scale), "r"(word), "r"(sum));
    }
    return result;
}

/** An output from its operands, in the upper bytes of halves. */
static inline __attribute__((always_inline)) int8_t ts_add_dsp_one(const ts_add_dsp_scaling *s,
                                                                   uint32_t a, uint32_t b,
                                                                   bool is_high, bool is_plain)
{
    int32_t sum = ts_add_dsp_scaled(s->start, s->scale1, a, is_high);
    sum = ts_add_dsp_scaled(sum, s->scale2, b, is_high);
    if (!is_plain) {
        sum += (sum >> 31) + s->behind;
    }
    int32_t rounded;
    __asm__("ssat %0, #8, %1, asr #20" : "=r"(rounded) : "r"(sum));
    return is_plain ? (int8_t)rounded : ts_clamp_s8(rounded, s->low, s->high);
}

/** Four outputs from a word of each operand. */
static inline __attribute__((always_inline)) void ts_add_dsp_four(const ts_add_dsp_scaling *s,
                                                                  uint32_t a, uint32_t b,
                                                                  int8_t *output, bool is_plain)
{
    const uint32_t upper = UINT32_C(0xFF00FF00);
    const uint32_t a_even = a << 8 & upper;
    const uint32_t b_even = b << 8 & upper;
    const uint32_t a_odd = a & upper;
    const uint32_t b_odd = b & upper;
    output[0] = ts_add_dsp_one(s, a_even, b_even, false, is_plain);
    output[1] = ts_add_dsp_one(s, a_odd, b_odd, false, is_plain);
    output[2] = ts_add_dsp_one(s, a_even, b_even, true, is_plain);
    output[3] = ts_add_dsp_one(s, a_odd, b_odd, true, is_plain);
}

/** A row, of any length and at any address; `is_plain`: nothing but start and saturation. */
static inline __attribute__((always_inline)) void
ts_add_dsp_row(const ts_add_dsp_scaling *scaling, const int8_t *row1, const int8_t *row2,
               int32_t count, int8_t *output, bool is_plain)
{
    const ts_add_dsp_scaling s = *scaling;
    const int8_t *const end = row1 + (count & ~7);
    while (row1 != end) {
        ts_add_dsp_four(&s, ts_load_word(row1), ts_load_word(row2), output, is_plain);
        ts_add_dsp_four(&s, ts_load_word(row1 + 4), ts_load_word(row2 + 4), output + 4, is_plain);
        row1 += 8;
        row2 += 8;
        output += 8;
    }
    for (int32_t i = 0; i < (count & 7); i++) {
        const uint32_t a = (uint32_t)row1[i] << 8;
        const uint32_t b = (uint32_t)row2[i] << 8;
        output[i] = ts_add_dsp_one(&s, a, b, false, is_plain);
    }
}

/** A row that is saturated and no more. */
static __attribute__((noinline)) void ts_add_dsp_plain_row(const ts_add_dsp_scaling *scaling,
                                                           const int8_t *row1, const int8_t *row2,
                                                           int32_t count, int8_t *output)
{
    ts_add_dsp_row(scaling, row1, row2, count, output, true);
}

/** A row that rounds by sign, or has a range of its own. */
static __attribute__((noinline)) void ts_add_dsp_any_row(const ts_add_dsp_scaling *scaling,
                                                         const int8_t *row1, const int8_t *row2,
                                                         int32_t count, int8_t *output)
{
    ts_add_dsp_row(scaling, row1, row2, count, output, false);
}

/**
 * @brief `output = clamp(rounded(sign1 * a + sign2 * b))` of real numbers; shapes broadcast, but
 * both operands move along the rows.
 *
 * @param params sizes and scales, a literal at the call so that the compiler specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void ts_add_dsp(const ts_add_dsp_params *params,
                                                             const int8_t *input1,
                                                             const int8_t *input2, int8_t *output)
{
    const ts_add_dsp_scaling scaling = {
        .scale1 = params->scale1,
        .scale2 = params->scale2,
        .start = params->start,
        .behind = params->behind,
        .low = params->activation_min,
        .high = params->activation_max,
    };
    const bool is_plain = params->rounds_by_sign == 0 && params->activation_min == -128 &&
                          params->activation_max == 127;
    TS_FOR_EACH_ROW (params) {
        const int8_t *const row1 = input1 + TS_ROW(params, input1);
        const int8_t *const row2 = input2 + TS_ROW(params, input2);
        if (is_plain) {
            ts_add_dsp_plain_row(&scaling, row1, row2, params->size3, output);
        } else {
            ts_add_dsp_any_row(&scaling, row1, row2, params->size3, output);
        }
        output += params->size3;
    }
}

#endif
