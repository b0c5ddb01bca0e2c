/**
 * @file
 * @brief FULLY_CONNECTED on int8 for cores with DSP instructions, where many inputs are zero.
 *
 * Behind a ReLU half of the inputs or more stand for zero. Pairs of them that both do are left
 * out, once for all channels: their weights are not even read, which is what takes longest where
 * flash is slow. So the time depends on the input; with no zero it is a sixth more than what
 * ts_fully_connected_dsp() takes.
 */
#ifndef TS_FULLY_CONNECTED_SPARSE_DSP_H
#define TS_FULLY_CONNECTED_SPARSE_DSP_H

#include <stdint.h>

#include "dsp.h"
#include "fully_connected_dsp_loop.h"

/** Parameters of ts_fully_connected_sparse_dsp(). */
typedef struct {
    int32_t batches;       /**< N, > 0 */
    int32_t in_features;   /**< I, > 0 */
    int32_t out_features;  /**< O, > 0 */
    int32_t input_offset;  /**< -zero_point of the input, [-127, 128] */
    int32_t multiplier;    /**< see ts_requantize_short() */
    int32_t power;         /**< see ts_requantize_short() */
    int32_t output_offset; /**< zero_point of the output, [-128, 127] */
} ts_fully_connected_sparse_dsp_params;

/** Bytes of a block's weights that one pair of inputs takes: 2 positions of 8 channels. */
#define TS_FULLY_CONNECTED_SPARSE_DSP_STEP 16

/**
 * Two pairs of inputs, eight channels. R0 is at the first pair, which is in R12 already; LR is how
 * far R1 is from its weights. All are so for the following pair when it is done.
 */
#define TS_FULLY_CONNECTED_SPARSE_DSP_TWO \
    TS_FULLY_CONNECTED_SPARSE_DSP_ONE("r12", "r2") TS_FULLY_CONNECTED_SPARSE_DSP_ONE("r2", "r12")

/** The pair in `pair`; what follows it comes to `next`. */
#define TS_FULLY_CONNECTED_SPARSE_DSP_ONE(pair, next) \
    "ldr.w  r3, [r1]\n\t" \
    "ldr.w  lr, [r1, #4]\n\t" \
    "ldr.w  " next ", [r1, #8]\n\t" \
    "smlad  r4, " pair ", r3, r4\n\t" \
    "sxtb16 r3, r3\n\t" \
    "smlad  r6, " pair ", lr, r6\n\t" \
    "sxtb16 lr, lr\n\t" \
    "smlad  r5, " pair ", r3, r5\n\t" \
    "smlad  r8, " pair ", " next ", r8\n\t" \
    "sxtb16 " next ", " next "\n\t" \
    "smlad  r7, " pair ", lr, r7\n\t" \
    "smlad  r9, " pair ", " next ", r9\n\t" \
    "ldr.w  r3, [r1, #12]\n\t" \
    "ldr.w  lr, [r0, #12]\n\t" \
    "ldr.w  " next ", [r0, #8]!\n\t" \
    "add.w  r1, r1, lr\n\t" \
    "smlad  r10, " pair ", r3, r10\n\t" \
    "sxtb16 r3, r3\n\t" \
    "smlad  r11, " pair ", r3, r11\n\t"

/** Bytes of code of TS_FULLY_CONNECTED_SPARSE_DSP_TWO. */
#define TS_FULLY_CONNECTED_SPARSE_DSP_TWO_BYTES "152"

/** Sums of eight channels from R0 and R1 on, begun at the address in R3. */
#define TS_FULLY_CONNECTED_SPARSE_DSP_SUMS \
    "ldr.w  r12, [r0]\n\t" \
    "ldr.w  lr, [r0, #4]\n\t" \
    "add.w  r1, r1, lr\n\t" \
    "bx     r3\n\t" \
    ".balign 4\n\t" \
    "2:\n\t" TS_FULLY_CONNECTED_SPARSE_DSP_TWO TS_FULLY_CONNECTED_SPARSE_DSP_TWO \
    "cmp.w  r12, #0x80008000\n\t" \
    "bne.w  2b\n\t" TS_FULLY_CONNECTED_DSP_SEPARATE

/** Sums of the halves of two words. */
static inline uint32_t ts_add_halves(uint32_t a, uint32_t b)
{
    uint32_t sums;
    __asm__("sadd16 %0, %1, %2" : "=r"(sums) : "r"(a), "r"(b));
    return sums;
}

/** Pairs of a row that are not zero: what they are and where they were. */
typedef struct {
    uint32_t *next;   /**< where the next pair goes, and its distance behind it */
    uint32_t skipped; /**< bytes of weights since the last one's */
} ts_fully_connected_sparse_dsp_list;

/** Keep a pair unless it is zero. */
static inline __attribute__((always_inline)) void
ts_fully_connected_sparse_dsp_keep(ts_fully_connected_sparse_dsp_list *list, uint32_t pair)
{
    list->next[0] = pair;
    list->next[1] = list->skipped;
    list->skipped += TS_FULLY_CONNECTED_SPARSE_DSP_STEP;
    if (pair != 0) {
        list->next += 2;
        list->skipped = TS_FULLY_CONNECTED_SPARSE_DSP_STEP;
    }
}

/**
 * @brief Expand a row to 16 bits, less its zero point, without pairs that are zero.
 * @param[in] row int8 `[count]`, at any address
 * @param count numbers in the row, > 0
 * @param offset -zero_point, [-127, 128], in both halves
 * @param[out] pairs uint32 `[2 * ceil(count / 4) + 1, 2]`: an even number of pairs, two at least,
 *             and an end, each with the distance of its weights from those before
 * @return how many there are but for the end
 */
static __attribute__((noinline)) int32_t ts_fully_connected_sparse_dsp_expand(const int8_t *row,
                                                                              int32_t count,
                                                                              uint32_t offset,
                                                                              uint32_t *pairs)
{
    ts_fully_connected_sparse_dsp_list list = {pairs, 0};
    const int8_t *const words_end = row + (count & ~3);
    for (; row < words_end; row += 4) {
        const uint32_t word = ts_load_word(row);
        ts_fully_connected_sparse_dsp_keep(&list, ts_add_halves(ts_even_bytes(word), offset));
        ts_fully_connected_sparse_dsp_keep(&list, ts_add_halves(ts_odd_bytes(word), offset));
    }
    if ((count & 3) != 0) {
        uint32_t rest = 0;
        for (int32_t i = 3; i >= 0; i--) { /* what is missing has weights of 0 */
            rest = rest << 8 | (i < (count & 3) ? (uint8_t)row[i] : 0);
        }
        ts_fully_connected_sparse_dsp_keep(&list, ts_add_halves(ts_even_bytes(rest), offset));
        ts_fully_connected_sparse_dsp_keep(&list, ts_add_halves(ts_odd_bytes(rest), offset));
    }
    while (list.next == pairs || (((uintptr_t)list.next - (uintptr_t)pairs) & 15) != 0) {
        list.next[0] = 0;
        list.next[1] = 0;
        list.next += 2;
    }
    list.next[0] = TS_FULLY_CONNECTED_DSP_END;
    list.next[1] = list.skipped;
    return (list.next - pairs) / 2;
}

/**
 * @brief Compute outputs, eight at a time, one at least.
 * @param[in,out] job advanced behind what was computed
 */
static __attribute__((noinline)) void
ts_fully_connected_sparse_dsp_blocks(ts_fully_connected_dsp_job *job)
{
    register ts_fully_connected_dsp_job *place __asm__("r0") = job;
    __asm__ volatile(TS_FULLY_CONNECTED_DSP_BLOCKS(TS_FULLY_CONNECTED_SPARSE_DSP_TWO_BYTES,
                                                   TS_FULLY_CONNECTED_SPARSE_DSP_SUMS)
                     : "+r"(place)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12",
                       "lr", "memory", "cc");
}

/**
 * @brief `output[n,o] = saturate(requantize(start[o] + sum filter[o,i] * (input[n,i] +
 * input_offset)) + output_offset)`.
 *
 * The row is expanded before an output is written: an output may lie over its row.
 *
 * @param params sizes and scale, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, I]`, [-128, 127]
 * @param[in] weights int32 `[ceil(O / 8), ceil(I / 4), 2, 4]` and one more: see
 *            fully_connected_dsp_loop.h
 * @param[in] starts int32 `[ceil(O / 8), 4, 2]`: what the sums start with
 * @param[out] output int8 `[N, O]`, [-128, 127]
 * @param[out] scratch `8 * (2 * ceil(I / 4) + 1)` bytes
 */
static inline __attribute__((always_inline)) void
ts_fully_connected_sparse_dsp(const ts_fully_connected_sparse_dsp_params *params,
                              const int8_t *input, const int32_t *weights, const int32_t *starts,
                              int8_t *output, uint8_t *scratch)
{
    uint32_t *const pairs = (uint32_t *)(void *)scratch;
    const uint32_t offset = (uint32_t)(params->input_offset & 0xFFFF) * UINT32_C(0x10001);
    ts_fully_connected_dsp_job job = {
        .multiplier = params->multiplier,
        .power = params->power,
        .offset = params->output_offset,
        .expanded = pairs,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        const int32_t count = ts_fully_connected_sparse_dsp_expand(
            input + n * params->in_features, params->in_features, offset, pairs);
        job.skipped = count / 2 & 1;
        ts_fully_connected_dsp_row(&job, weights, starts, params->out_features,
                                   ts_fully_connected_sparse_dsp_blocks,
                                   output + n * params->out_features);
    }
}

#endif
