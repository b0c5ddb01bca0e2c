/**
 * @file
 * @brief FULLY_CONNECTED on int8 for cores with DSP instructions, any scales, rounding and range.
 */
#ifndef TS_FULLY_CONNECTED_CHANNELS_DSP_H
#define TS_FULLY_CONNECTED_CHANNELS_DSP_H

#include <stdint.h>

#include "dsp.h"
#include "fully_connected_dsp_loop.h"
#include "quant.h"

/** Parameters of ts_fully_connected_channels_dsp(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t in_features;    /**< I, > 0 */
    int32_t out_features;   /**< O, > 0 */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_fully_connected_channels_dsp_params;

/**
 * @brief Sums of eight channels.
 * @param[in] expanded a row, see ts_fully_connected_dsp_expand()
 * @param[in] weights of the channels
 * @param[in] starts int32 `[4, 2]`, what the sums start with
 * @param skipped quads of the loop's four that the first turn leaves out, [0, 3]
 * @param[out] sums int32 `[8]`
 */
static __attribute__((noinline)) void
ts_fully_connected_channels_dsp_sums(const uint32_t *expanded, const uint32_t *weights,
                                     const int32_t *starts, int32_t skipped, int32_t *sums)
{
    register const uint32_t *row __asm__("r0") = expanded;
    register const uint32_t *words __asm__("r1") = weights;
    register const int32_t *first __asm__("r2") = starts;
    register int32_t skip __asm__("r3") = skipped;
    register int32_t *place __asm__("r12") = sums;
    __asm__ volatile("push   {r12}\n\t"
                     "ldmia  r2, {r4-r11}\n\t"
                     "adr.w  r2, 2f + 1\n\t"
                     "mov    lr, #" TS_FULLY_CONNECTED_DSP_QUAD_BYTES "\n\t"
                     "mla    r3, r3, lr, r2\n\t" TS_FULLY_CONNECTED_DSP_SUMS
                     "pop    {r12}\n\t"
                     "stmia  r12, {r4-r11}\n\t"
                     : "+r"(row), "+r"(words), "+r"(first), "+r"(skip), "+r"(place)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "lr", "memory", "cc");
}

/**
 * @brief `output[n,o] = clamp(requantize(start[o] + sum filter[o,i] * input[n,i]) +
 * output_offset)`.
 *
 * The row is expanded before an output is written: an output may lie over its row.
 *
 * @param params sizes and range, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] weights int32 `[ceil(O / 8), ceil(I / 4), 2, 4]` and one more: see
 *            fully_connected_dsp_loop.h
 * @param[in] starts int32 `[ceil(O / 8), 4, 2]`: what the sums start with
 * @param[in] scaling int32 `[O, 2]`, multiplier and shift, see ts_requantize_as()
 * @param[out] output int8 `[N, O]`, [activation_min, activation_max]
 * @param[out] scratch `4 * (2 * ceil(I / 4) + 1)` bytes
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_channels_dsp(const ts_fully_connected_channels_dsp_params *params,
                                const int8_t *input, const int32_t *weights, const int32_t *starts,
                                const int32_t *scaling, int8_t *output, uint8_t *scratch)
{
    uint32_t *const expanded = (uint32_t *)(void *)scratch;
    const int32_t quads = (params->in_features + 3) / 4;
    int32_t sums[8];
    for (int32_t n = 0; n < params->batches; n++) {
        ts_fully_connected_dsp_expand(input + n * params->in_features, params->in_features,
                                      expanded);
        for (int32_t o = 0; o < params->out_features; o++) {
            if ((o & 7) == 0) {
                ts_fully_connected_channels_dsp_sums(expanded,
                                                     (const uint32_t *)weights + o * quads,
                                                     starts + o, -quads & 3, sums);
            }
            *output++ = ts_offset_clamp_s8(ts_requantize_as(sums[o & 7], scaling[2 * o],
                                                            scaling[2 * o + 1], params->rounding),
                                           params->output_offset, params->activation_min,
                                           params->activation_max);
        }
    }
}

#endif
