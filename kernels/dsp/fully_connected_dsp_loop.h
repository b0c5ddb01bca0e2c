/**
 * @file
 * @brief What the tuned FULLY_CONNECTED kernels share: the expanded row and eight sums at a time.
 *
 * A row of the input is expanded to 16 bits once: of every four numbers first those at 0 and 2 as
 * one pair, then those at 1 and 3. A word of weights holds the same pair of positions for two
 * channels, each half as `256 * high + low`: a dual multiply with the word as it is sums up
 * `256 * S(high) + S(low)`, one with its sign-extended even bytes sums up S(low), and the
 * difference of both is `256 * S(high)`. So one extension serves four weights.
 */
#ifndef TS_FULLY_CONNECTED_DSP_LOOP_H
#define TS_FULLY_CONNECTED_DSP_LOOP_H

#include <stdint.h>
#include <string.h>

#include "dsp.h"

/** Ends an expanded row: no pair of numbers of 8 bits. */
#define TS_FULLY_CONNECTED_DSP_END UINT32_C(0x80008000)

/**
 * Four input positions of eight channels. R0 is at the first of their two pairs, R1 at the first
 * of their eight words of weights; both are in R12 and LR already, and so are those that follow
 * when it is done. Sums of R4 to R11 go in pairs: `256 * S(high) + S(low)`, S(low). Loads stand in
 * groups, because one behind another takes a cycle less.
 */
#define TS_FULLY_CONNECTED_DSP_QUAD \
    "smlad  r4, r12, lr, r4\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad  r5, r12, lr, r5\n\t" \
    "ldr.w  r3, [r1, #4]\n\t" \
    "ldr.w  r2, [r1, #8]\n\t" \
    "ldr.w  lr, [r1, #12]\n\t" \
    "smlad  r6, r12, r3, r6\n\t" \
    "sxtb16 r3, r3\n\t" \
    "smlad  r8, r12, r2, r8\n\t" \
    "sxtb16 r2, r2\n\t" \
    "smlad  r7, r12, r3, r7\n\t" \
    "smlad  r10, r12, lr, r10\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad  r9, r12, r2, r9\n\t" \
    "smlad  r11, r12, lr, r11\n\t" \
    "ldr.w  r2, [r0, #4]\n\t" \
    "ldr.w  r3, [r1, #16]\n\t" \
    "ldr.w  r12, [r1, #20]\n\t" \
    "ldr.w  lr, [r1, #24]\n\t" \
    "smlad  r4, r2, r3, r4\n\t" \
    "sxtb16 r3, r3\n\t" \
    "smlad  r6, r2, r12, r6\n\t" \
    "sxtb16 r12, r12\n\t" \
    "smlad  r5, r2, r3, r5\n\t" \
    "smlad  r8, r2, lr, r8\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad  r7, r2, r12, r7\n\t" \
    "smlad  r9, r2, lr, r9\n\t" \
    "ldr.w  r3, [r1, #28]\n\t" \
    "ldr.w  r12, [r0, #8]!\n\t" \
    "ldr.w  lr, [r1, #32]!\n\t" \
    "smlad  r10, r2, r3, r10\n\t" \
    "sxtb16 r3, r3\n\t" \
    "smlad  r11, r2, r3, r11\n\t"

/** Bytes of code of TS_FULLY_CONNECTED_DSP_QUAD. */
#define TS_FULLY_CONNECTED_DSP_QUAD_BYTES "136"

/** What TS_FULLY_CONNECTED_DSP_BLOCKS() works on; the assembly knows where everything lies. */
typedef struct {
    int8_t *output;           /**< where the next eight outputs go */
    int32_t multiplier;       /**< see ts_requantize_short() */
    int32_t power;            /**< see ts_requantize_short() */
    int32_t offset;           /**< zero point of the output */
    int8_t *output_end;       /**< behind the last output; a multiple of 8 from the first */
    const uint32_t *expanded; /**< the row, as the loop wants it */
    const int32_t *starts;    /**< where the sums of the next eight channels start */
    int32_t skipped;          /**< parts of the loop that its first turn leaves out */
    const uint32_t *weights;  /**< of the next eight channels */
} ts_fully_connected_dsp_job;

/** `256 * S(high) + S(low)` of four pairs of channels becomes S(high). */
#define TS_FULLY_CONNECTED_DSP_SEPARATE \
    "sub    r4, r4, r5\n\t" \
    "sub    r6, r6, r7\n\t" \
    "sub    r8, r8, r9\n\t" \
    "sub    r10, r10, r11\n\t" \
    "asr    r4, r4, #8\n\t" \
    "asr    r6, r6, #8\n\t" \
    "asr    r8, r8, #8\n\t" \
    "asr    r10, r10, #8\n\t"

/** Sums of eight channels from R0 and R1 on, begun at the address in R3. */
#define TS_FULLY_CONNECTED_DSP_SUMS \
    "ldr.w  r12, [r0]\n\t" \
    "ldr.w  lr, [r1]\n\t" \
    "bx     r3\n\t" \
    ".balign 4\n\t" \
    "2:\n\t" TS_FULLY_CONNECTED_DSP_QUAD TS_FULLY_CONNECTED_DSP_QUAD TS_FULLY_CONNECTED_DSP_QUAD \
        TS_FULLY_CONNECTED_DSP_QUAD \
    "cmp.w  r12, #0x80008000\n\t" \
    "bne.w  2b\n\t" \
    TS_FULLY_CONNECTED_DSP_SEPARATE

/**
 * A job's outputs, eight at a time: `sums` begins at the address in R3 and leaves the sums of eight
 * channels in R4 to R11; R0 is at the row and R1 at the weights. R0 holds the job at first.
 */
#define TS_FULLY_CONNECTED_DSP_BLOCKS(part_bytes, sums) \
    "push   {r0}\n\t" \
    "ldr    r1, [r0, #32]\n\t" \
    "mov    r12, r0\n\t" \
    "1:\n\t" \
    "ldr    r2, [r12, #24]\n\t" \
    "ldr    r3, [r12, #28]\n\t" \
    "ldr    r0, [r12, #20]\n\t" \
    "ldmia  r2!, {r4-r11}\n\t" \
    "str    r2, [r12, #24]\n\t" \
    "adr.w  r2, 2f + 1\n\t" \
    "mov    lr, #" part_bytes "\n\t" \
    "mla    r3, r3, lr, r2\n\t" sums \
    "ldr    r12, [sp]\n\t" \
    "ldmia  r12, {r0, r2, r3, lr}\n\t" \
    "smmlar r4, r4, r2, r4\n\t" \
    "smmlar r5, r5, r2, r5\n\t" \
    "smmlar r6, r6, r2, r6\n\t" \
    "smmlar r7, r7, r2, r7\n\t" \
    "smmlar r8, r8, r2, r8\n\t" \
    "smmlar r9, r9, r2, r9\n\t" \
    "smmlar r10, r10, r2, r10\n\t" \
    "smmlar r11, r11, r2, r11\n\t" \
    "add    r4, r4, r4, asr #31\n\t" \
    "add    r5, r5, r5, asr #31\n\t" \
    "add    r6, r6, r6, asr #31\n\t" \
    "add    r7, r7, r7, asr #31\n\t" \
    "add    r8, r8, r8, asr #31\n\t" \
    "add    r9, r9, r9, asr #31\n\t" \
    "add    r10, r10, r10, asr #31\n\t" \
    "add    r11, r11, r11, asr #31\n\t" \
    "smmlar r4, r4, r3, lr\n\t" \
    "smmlar r5, r5, r3, lr\n\t" \
    "smmlar r6, r6, r3, lr\n\t" \
    "smmlar r7, r7, r3, lr\n\t" \
    "smmlar r8, r8, r3, lr\n\t" \
    "smmlar r9, r9, r3, lr\n\t" \
    "smmlar r10, r10, r3, lr\n\t" \
    "smmlar r11, r11, r3, lr\n\t" \
    "ssat   r4, #8, r4\n\t" \
    "ssat   r5, #8, r5\n\t" \
    "ssat   r6, #8, r6\n\t" \
    "ssat   r7, #8, r7\n\t" \
    "ssat   r8, #8, r8\n\t" \
    "ssat   r9, #8, r9\n\t" \
    "ssat   r10, #8, r10\n\t" \
    "ssat   r11, #8, r11\n\t" \
    "strb   r4, [r0]\n\t" \
    "strb   r5, [r0, #1]\n\t" \
    "strb   r6, [r0, #2]\n\t" \
    "strb   r7, [r0, #3]\n\t" \
    "strb   r8, [r0, #4]\n\t" \
    "strb   r9, [r0, #5]\n\t" \
    "strb   r10, [r0, #6]\n\t" \
    "strb   r11, [r0, #7]\n\t" \
    "ldr    r2, [r12, #16]\n\t" \
    "adds   r0, #8\n\t" \
    "str    r0, [r12]\n\t" \
    "cmp    r0, r2\n\t" \
    "bne.w  1b\n\t" \
    "str    r1, [r12, #32]\n\t" \
    "add    sp, #4\n\t"

/**
 * @brief Compute the outputs of one row; those of a last block that is not whole go by a copy.
 * @param job what is the same for all rows, and the expanded row
 * @param[in] weights of all channels
 * @param[in] starts of all channels
 * @param channels number of outputs, > 0
 * @param blocks computes a job's outputs, eight at a time
 * @param[out] output int8 `[channels]`
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_dsp_row(ts_fully_connected_dsp_job *job, const int32_t *weights,
                           const int32_t *starts, int32_t channels,
                           void (*blocks)(ts_fully_connected_dsp_job *), int8_t *output)
{
    const int32_t whole = channels & ~7;
    job->weights = (const uint32_t *)weights;
    job->starts = starts;
    job->output = output;
    job->output_end = output + whole;
    if (whole > 0) {
        blocks(job);
    }
    if (whole < channels) {
        int8_t rest[8];
        job->output = rest;
        job->output_end = rest + 8;
        blocks(job);
        memcpy(output + whole, rest, (size_t)(channels - whole));
    }
}

/**
 * @brief Expand a row to 16 bits and end it.
 * @param[in] row int8 `[count]`, at any address
 * @param count numbers in the row, > 0
 * @param[out] expanded uint32 `[2 * ceil(count / 4) + 1]`; missing numbers become 0
 */
static __attribute__((noinline)) void
ts_fully_connected_dsp_expand(const int8_t *row, int32_t count, uint32_t *expanded)
{
    const int8_t *const words_end = row + (count & ~3);
    for (; row + 8 <= words_end; row += 8) {
        const uint32_t first = ts_load_word(row);
        const uint32_t second = ts_load_word(row + 4);
        expanded[0] = ts_even_bytes(first);
        expanded[1] = ts_odd_bytes(first);
        expanded[2] = ts_even_bytes(second);
        expanded[3] = ts_odd_bytes(second);
        expanded += 4;
    }
    uint32_t rest = 0;
    for (int32_t i = (count & 3) - 1; i >= 0; i--) {
        rest = rest << 8 | (uint8_t)words_end[i];
    }
    if (row < words_end) {
        const uint32_t last = ts_load_word(row);
        *expanded++ = ts_even_bytes(last);
        *expanded++ = ts_odd_bytes(last);
    }
    if ((count & 3) != 0) {
        *expanded++ = ts_even_bytes(rest);
        *expanded++ = ts_odd_bytes(rest);
    }
    *expanded = TS_FULLY_CONNECTED_DSP_END;
}

#endif
