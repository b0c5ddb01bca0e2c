/**
 * @file
 * @brief FULLY_CONNECTED on int8 for cores with DSP instructions, one scale for all channels.
 */
#ifndef TS_FULLY_CONNECTED_DSP_H
#define TS_FULLY_CONNECTED_DSP_H

#include <stdint.h>
#include <string.h>

#include "dsp.h"
#include "fully_connected_dsp_loop.h"

/** Parameters of ts_fully_connected_dsp(). */
typedef struct {
    int32_t batches;       /**< N, > 0 */
    int32_t in_features;   /**< I, > 0 */
    int32_t out_features;  /**< O, > 0 */
    int32_t multiplier;    /**< see ts_requantize_short() */
    int32_t power;         /**< see ts_requantize_short() */
    int32_t output_offset; /**< zero_point of the output, [-128, 127] */
} ts_fully_connected_dsp_params;

/** What ts_fully_connected_dsp_blocks() works on; the assembly knows where everything lies. */
typedef struct {
    int8_t *output;           /**< where the next eight outputs go */
    int32_t multiplier;       /**< see ts_requantize_short() */
    int32_t power;            /**< see ts_requantize_short() */
    int32_t offset;           /**< zero point of the output */
    int8_t *output_end;       /**< behind the last output; a multiple of 8 from the first */
    const uint32_t *expanded; /**< the row */
    const int32_t *starts;    /**< where the sums of the next eight channels start */
    int32_t skipped;          /**< quads of the loop's four that the first turn leaves out */
    const uint32_t *weights;  /**< of the next eight channels */
} ts_fully_connected_dsp_job;

/**
 * @brief Compute outputs, eight at a time, one at least.
 * @param[in,out] job advanced behind what was computed
 */
static __attribute__((noinline)) void ts_fully_connected_dsp_blocks(ts_fully_connected_dsp_job *job)
{
    register ts_fully_connected_dsp_job *place __asm__("r0") = job;
    __asm__ volatile("push   {r0}\n\t"
                     "ldr    r1, [r0, #32]\n\t"
                     "mov    r12, r0\n\t"
                     "1:\n\t"
                     "ldr    r2, [r12, #24]\n\t"
                     "ldr    r3, [r12, #28]\n\t"
                     "ldr    r0, [r12, #20]\n\t"
                     "ldmia  r2!, {r4-r11}\n\t"
                     "str    r2, [r12, #24]\n\t"
                     "adr.w  r2, 2f + 1\n\t"
                     "mov    lr, #" TS_FULLY_CONNECTED_DSP_QUAD_BYTES "\n\t"
                     "mla    r3, r3, lr, r2\n\t" TS_FULLY_CONNECTED_DSP_SUMS
                     "ldr    r12, [sp]\n\t"
                     "ldmia  r12, {r0, r2, r3, lr}\n\t"
                     "smmlar r4, r4, r2, r4\n\t"
                     "smmlar r5, r5, r2, r5\n\t"
                     "smmlar r6, r6, r2, r6\n\t"
                     "smmlar r7, r7, r2, r7\n\t"
                     "smmlar r8, r8, r2, r8\n\t"
                     "smmlar r9, r9, r2, r9\n\t"
                     "smmlar r10, r10, r2, r10\n\t"
                     "smmlar r11, r11, r2, r11\n\t"
                     "add    r4, r4, r4, asr #31\n\t"
                     "add    r5, r5, r5, asr #31\n\t"
                     "add    r6, r6, r6, asr #31\n\t"
                     "add    r7, r7, r7, asr #31\n\t"
                     "add    r8, r8, r8, asr #31\n\t"
                     "add    r9, r9, r9, asr #31\n\t"
                     "add    r10, r10, r10, asr #31\n\t"
                     "add    r11, r11, r11, asr #31\n\t"
                     "smmlar r4, r4, r3, lr\n\t"
                     "smmlar r5, r5, r3, lr\n\t"
                     "smmlar r6, r6, r3, lr\n\t"
                     "smmlar r7, r7, r3, lr\n\t"
                     "smmlar r8, r8, r3, lr\n\t"
                     "smmlar r9, r9, r3, lr\n\t"
                     "smmlar r10, r10, r3, lr\n\t"
                     "smmlar r11, r11, r3, lr\n\t"
                     "ssat   r4, #8, r4\n\t"
                     "ssat   r5, #8, r5\n\t"
                     "ssat   r6, #8, r6\n\t"
                     "ssat   r7, #8, r7\n\t"
                     "ssat   r8, #8, r8\n\t"
                     "ssat   r9, #8, r9\n\t"
                     "ssat   r10, #8, r10\n\t"
                     "ssat   r11, #8, r11\n\t"
                     "strb   r4, [r0]\n\t"
                     "strb   r5, [r0, #1]\n\t"
                     "strb   r6, [r0, #2]\n\t"
                     "strb   r7, [r0, #3]\n\t"
                     "strb   r8, [r0, #4]\n\t"
                     "strb   r9, [r0, #5]\n\t"
                     "strb   r10, [r0, #6]\n\t"
                     "strb   r11, [r0, #7]\n\t"
                     "ldr    r2, [r12, #16]\n\t"
                     "adds   r0, #8\n\t"
                     "str    r0, [r12]\n\t"
                     "cmp    r0, r2\n\t"
                     "bne.w  1b\n\t"
                     "str    r1, [r12, #32]\n\t"
                     "add    sp, #4\n\t"
                     : "+r"(place)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12",
                       "lr", "memory", "cc");
}

/**
 * @brief `output[n,o] = saturate(requantize(start[o] + sum filter[o,i] * input[n,i]) +
 * output_offset)`.
 *
 * The row is expanded before an output is written: an output may lie over its row.
 *
 * @param params sizes and scale, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] weights int32 `[ceil(O / 8), ceil(I / 4), 2, 4]` and one more: see
 *            fully_connected_dsp_loop.h
 * @param[in] starts int32 `[ceil(O / 8), 4, 2]`: what the sums start with
 * @param[out] output int8 `[N, O]`, [-128, 127]
 * @param[out] scratch `4 * (2 * ceil(I / 4) + 1)` bytes
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_dsp(const ts_fully_connected_dsp_params *params, const int8_t *input,
                       const int32_t *weights, const int32_t *starts, int8_t *output,
                       uint8_t *scratch)
{
    uint32_t *const expanded = (uint32_t *)(void *)scratch;
    const int32_t whole = params->out_features & ~7;
    ts_fully_connected_dsp_job job = {
        .multiplier = params->multiplier,
        .power = params->power,
        .offset = params->output_offset,
        .expanded = expanded,
        .skipped = -((params->in_features + 3) / 4) & 3,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        ts_fully_connected_dsp_expand(input + n * params->in_features, params->in_features,
                                      expanded);
        job.starts = starts;
        job.weights = (const uint32_t *)weights;
        job.output = output + n * params->out_features;
        if (whole > 0) {
            job.output_end = job.output + whole;
            ts_fully_connected_dsp_blocks(&job);
        }
        if (whole < params->out_features) {
            int8_t rest[8];
            job.output = rest;
            job.output_end = rest + 8;
            ts_fully_connected_dsp_blocks(&job);
            memcpy(output + n * params->out_features + whole, rest,
                   (size_t)(params->out_features - whole));
        }
    }
}

#endif
