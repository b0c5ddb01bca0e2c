/**
 * @file
 * @brief FULLY_CONNECTED on int8 for cores with DSP instructions, one scale for all channels.
 */
#ifndef TS_FULLY_CONNECTED_DSP_H
#define TS_FULLY_CONNECTED_DSP_H

#include <stdint.h>

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

/**
 * @brief Compute outputs, eight at a time, one at least.
 * @param[in,out] job advanced behind what was computed
 */
static __attribute__((noinline)) void ts_fully_connected_dsp_blocks(ts_fully_connected_dsp_job *job)
{
    register ts_fully_connected_dsp_job *place __asm__("r0") = job;
    __asm__ volatile(TS_FULLY_CONNECTED_DSP_BLOCKS(TS_FULLY_CONNECTED_DSP_QUAD_BYTES,
                                                   TS_FULLY_CONNECTED_DSP_SUMS)
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
        ts_fully_connected_dsp_row(&job, weights, starts, params->out_features,
                                   ts_fully_connected_dsp_blocks,
                                   output + n * params->out_features);
    }
}

#endif
