/**
 * @file
 * @brief FULLY_CONNECTED on int8 for Armv6-M: four channels at a time, a byte a weight.
 *
 * A word of the stream has the weights of four channels for one input. Where weights are small, they
 * stand there plus 128: bytes 0 and 2, alone in a word, times the input are the products of channels
 * 0 and 1, 16 bits apart, and bytes 1 and 3 those of channels 2 and 3. Eight inputs are summed like
 * this; the sums begin with what the 128 have added too much. Then the lower half, signed, is the sum
 * of one channel and what is left above that of the other (see matrix_v6m.h). Groups of channels
 * whose sums could leave 16 bits multiply each weight by itself.
 *
 * The stream holds, for each four channels:
 * - 1 if weights are multiplied in pairs, else 0
 * - words of weights for a multiple of eight inputs: of four inputs the first, the last, the second,
 *   the third; the rest is zero
 * - for each channel the bias and the two words of requantize_v6m.h; in pairs the biases of channels
 *   0 and 2 are less by 2^15 for each eight inputs
 */
#ifndef TS_FULLY_CONNECTED_S8_V6M_H
#define TS_FULLY_CONNECTED_S8_V6M_H

#include <stdint.h>

#include "requantize_v6m.h"

/** Parameters of ts_fully_connected_s8_v6m(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t in_features;    /**< I, > 0 */
    int32_t out_features;   /**< O, > 0 */
    int32_t padded;         /**< I, rounded up to a multiple of 8 */
    int32_t is_copied;      /**< 1: rows must be copied, for alignment or to be padded; else 0 */
    int32_t offset;         /**< zero point of the output plus 128, [0, 255] */
    int32_t limit;          /**< accumulators are clamped to +-this, > 0 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_fully_connected_s8_v6m_params;

/** What the worker needs, in the order in which its assembly wants it. */
typedef struct {
    const int8_t *input;     /**< 0: a row, 4-byte aligned */
    const int8_t *input_end; /**< 4: a multiple of eight elements later */
    const int32_t *starts;   /**< 8: what sums of eight inputs begin with */
    int8_t *output;          /**< 12 */
    int32_t channels;        /**< 16: > 0 */
    int32_t offset;          /**< 20 */
    int32_t limit;           /**< 24 */
} ts_v6m_row;

/* An input times four weights, in pairs: 5 cycles, and the sums. */
#define TS_V6M_TIMES_PAIRS(weights)                                                                \
    "lsrs r7, " weights ", #8\n\t"                                                                 \
    "ands r7, r2\n\t"                                                                              \
    "ands " weights ", r2\n\t"                                                                     \
    "muls r7, r6\n\t"                                                                              \
    "muls " weights ", r6\n\t"
#define TS_V6M_SUM_PAIRS(weights)                                                                  \
    TS_V6M_TIMES_PAIRS(weights)                                                                    \
    "add r8, " weights "\n\t"                                                                      \
    "add r9, r7\n\t"

/* Four inputs but for the last sums: 39 cycles, with which it would be 41. */
#define TS_V6M_FOUR_PAIRS                                                                          \
    "ldm r1!, {r5}\n\t"                                                                            \
    "ldm r0!, {r3, r4}\n\t"                                                                        \
    "sxtb r6, r5\n\t" TS_V6M_SUM_PAIRS("r3") "asrs r6, r5, #24\n\t" TS_V6M_SUM_PAIRS("r4")         \
    "ldm r0!, {r3, r4}\n\t"                                                                        \
    "rev16 r5, r5\n\t"                                                                             \
    "sxtb r6, r5\n\t" TS_V6M_SUM_PAIRS("r3") "asrs r6, r5, #24\n\t" TS_V6M_TIMES_PAIRS("r4")

/* An input times four weights, one by one: 13 cycles. */
#define TS_V6M_SUM_SINGLE(weights)                                                                 \
    "sxtb r7, " weights "\n\t"                                                                     \
    "muls r7, r6\n\t"                                                                              \
    "add r8, r7\n\t"                                                                               \
    "asrs r7, " weights ", #24\n\t"                                                                \
    "muls r7, r6\n\t"                                                                              \
    "add r11, r7\n\t"                                                                              \
    "rev16 " weights ", " weights "\n\t"                                                           \
    "sxtb r7, " weights "\n\t"                                                                     \
    "muls r7, r6\n\t"                                                                              \
    "add r10, r7\n\t"                                                                              \
    "asrs " weights ", " weights ", #24\n\t"                                                       \
    "muls " weights ", r6\n\t"                                                                     \
    "add r9, " weights "\n\t"

/**
 * @brief All channels of one row.
 *
 * While products are summed, r0 is the stream, r1 the input, r2 0x00ff00ff, r3 and r4 weights, r5
 * four inputs, r6 one. In pairs r8 and r9 are sums of eight inputs, r10 and r11 the totals of those,
 * r12 and lr of their upper halves; else r8 to r11 the channels' sums. On the stack: 0 place in
 * `starts`, 4 end of the input, 8 the row, 12 channels left, 16 to 31 the four accumulators.
 */
static __attribute__((noinline)) void ts_v6m_row_of_channels(const ts_v6m_row *row,
                                                             const int32_t *stream)
{
    register const int32_t *r0 __asm__("r0") = stream;
    register const ts_v6m_row *r1 __asm__("r1") = row;
    __asm__ volatile(
        ".syntax unified\n\t"
        "sub sp, #32\n\t"
        "str r1, [sp, #8]\n\t"
        "ldr r2, [r1, #4]\n\t"
        "str r2, [sp, #4]\n\t"
        "ldr r2, [r1, #16]\n\t"
        "str r2, [sp, #12]\n"
        /* Four channels. */
        "2:\n\t"
        "ldr r1, [sp, #8]\n\t"
        "ldr r4, [r1, #8]\n\t"
        "str r4, [sp, #0]\n\t"
        "ldr r1, [r1, #0]\n\t"
        "ldm r0!, {r3}\n\t"
        "cmp r3, #0\n\t"
        "beq 4f\n\t"
        "movs r2, #255\n\t"
        "lsls r3, r2, #16\n\t"
        "adds r2, r2, r3\n\t"
        "movs r3, #0\n\t"
        "mov r10, r3\n\t"
        "mov r11, r3\n\t"
        "mov r12, r3\n\t"
        "mov lr, r3\n"
        "3:\n\t"
        "ldr r7, [sp, #0]\n\t"
        "ldm r7!, {r6}\n\t"
        "str r7, [sp, #0]\n\t"
        "mov r8, r6\n\t"
        "mov r9, r6\n\t"
        TS_V6M_FOUR_PAIRS
        "add r8, r4\n\t"
        "add r9, r7\n\t"
        TS_V6M_FOUR_PAIRS
        "add r4, r8\n\t"
        "add r7, r9\n\t"
        "add r10, r4\n\t"
        "asrs r4, r4, #16\n\t"
        "add r12, r4\n\t"
        "add r11, r7\n\t"
        "asrs r7, r7, #16\n\t"
        "add lr, r7\n\t"
        "ldr r7, [sp, #4]\n\t"
        "cmp r1, r7\n\t"
        "bne 3b\n\t"
        "mov r3, r10\n\t"
        "mov r4, r12\n\t"
        "lsls r5, r4, #16\n\t"
        "subs r3, r3, r5\n\t"
        "mov r5, r11\n\t"
        "mov r6, lr\n\t"
        "lsls r7, r6, #16\n\t"
        "subs r5, r5, r7\n\t"
        "b 6f\n"
        "4:\n\t"
        "mov r8, r3\n\t"
        "mov r9, r3\n\t"
        "mov r10, r3\n\t"
        "mov r11, r3\n\t"
        "ldr r2, [sp, #4]\n"
        "5:\n\t"
        "ldm r1!, {r5}\n\t"
        "ldm r0!, {r3, r4}\n\t"
        "sxtb r6, r5\n\t" TS_V6M_SUM_SINGLE("r3") "asrs r6, r5, #24\n\t" TS_V6M_SUM_SINGLE("r4")
        "ldm r0!, {r3, r4}\n\t"
        "rev16 r5, r5\n\t"
        "sxtb r6, r5\n\t" TS_V6M_SUM_SINGLE("r3") "asrs r6, r5, #24\n\t" TS_V6M_SUM_SINGLE("r4")
        "cmp r1, r2\n\t"
        "bne 5b\n\t"
        "mov r3, r8\n\t"
        "mov r4, r9\n\t"
        "mov r5, r10\n\t"
        "mov r6, r11\n"
        /* Four accumulators become outputs. */
        "6:\n\t"
        "add r1, sp, #16\n\t"
        "stm r1!, {r3, r4, r5, r6}\n\t"
        "ldr r3, [sp, #8]\n\t"
        "ldr r7, [r3, #12]\n\t"
        "ldr r2, [r3, #20]\n\t"
        "ldr r4, [r3, #24]\n\t"
        "mov r9, r4\n\t"
        "negs r4, r4\n\t"
        "mov r10, r4\n\t"
        "add r1, sp, #16\n\t"
        "ldr r4, [sp, #12]\n\t"
        "cmp r4, #4\n\t"
        "bls 7f\n\t"
        "movs r4, #4\n"
        "7:\n\t"
        "adds r5, r7, r4\n\t"
        "str r5, [r3, #12]\n\t"
        "mov r8, r5\n"
        "8:\n\t"
        "ldm r0!, {r3, r4, r5}\n\t"
        "ldm r1!, {r6}\n\t"
        "adds r6, r6, r3\n\t"
        "cmp r6, r9\n\t"
        "ble 1f\n\t"
        "mov r6, r9\n"
        "1:\n\t"
        "cmp r6, r10\n\t"
        "bge 1f\n\t"
        "mov r6, r10\n"
        "1:\n\t" TS_V6M_REQUANTIZE("r6", "r4", "r5", "r3", "r2")
        "strb r3, [r7]\n\t"
        "adds r7, #1\n\t"
        "cmp r7, r8\n\t"
        "bne 8b\n\t"
        "ldr r4, [sp, #12]\n\t"
        "subs r4, #4\n\t"
        "str r4, [sp, #12]\n\t"
        "ble 9f\n\t"
        "b 2b\n"
        "9:\n\t"
        "add sp, #32\n\t"
        : "+r"(r0), "+r"(r1)
        :
        : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory", "cc");
}

/** ts_fully_connected_s8_v6m(), one copy for all layers. */
static __attribute__((noinline)) void
ts_fully_connected_s8_v6m_run(const ts_fully_connected_s8_v6m_params *params, const int8_t *input,
                              const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    int32_t *const starts = (int32_t *)(void *)scratch;
    const int32_t padded = params->padded;
    int8_t *const copy = (int8_t *)scratch + padded / 2;
    ts_v6m_row row = {
        .starts = starts,
        .output = output,
        .channels = params->out_features,
        .offset = params->offset,
        .limit = params->limit,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        row.input = input;
        if (params->is_copied) {
            for (int32_t i = 0; i < padded; i++) {
                copy[i] = i < params->in_features ? input[i] : 0;
            }
            row.input = copy;
        }
        row.input_end = row.input + padded;
        const int8_t *at = row.input;
        for (int32_t *start = starts; at != row.input_end; start++) {
            uint32_t sum = 0;
            for (int32_t i = 0; i < 8; i++) {
                sum += (uint32_t)*at++;
            }
            *start = (int32_t)(0x8000U - (sum << 7) - (sum << 23));
        }
        ts_v6m_row_of_channels(&row, stream);
        input += params->in_features;
    }
}

/**
 * @brief What ts_fully_connected_s8() computes.
 * @param params sizes and ranges, a literal at the call
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] stream weights and channels, see above; the zero point of the input is folded into the
 * biases
 * @param[out] output int8 `[N, O]`, [activation_min, activation_max]
 * @param[out] scratch half a byte an input, and a byte if rows are copied
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_s8_v6m(const ts_fully_connected_s8_v6m_params *params, const int8_t *input,
                          const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    ts_fully_connected_s8_v6m_run(params, input, stream, output, scratch);
    if (params->activation_min != -128 || params->activation_max != 127) {
        ts_v6m_clamp(output, params->batches * params->out_features, params->activation_min,
                     params->activation_max);
    }
}

#endif
