/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 with filters of any size and stride, for cores with DSP.
 *
 * Four channels at a time: rows of the input become planes (depthwise_dsp.h), then each channel is
 * computed by itself, four neighbours in a row a turn.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S8_ANY_DSP_H
#define TS_DEPTHWISE_CONV_2D_S8_ANY_DSP_H

#include <stdbool.h>
#include <stdint.h>

#include "depthwise_dsp.h"

/** Parameters of ts_depthwise_conv_2d_s8_any_dsp(). */
typedef struct {
    int32_t batches;          /**< N, > 0 */
    int32_t input_h;          /**< H of the input, > 0 */
    int32_t input_w;          /**< W of the input, > 0 */
    int32_t input_c;          /**< C, > 0 */
    int32_t output_h;         /**< H of the output, > 0 */
    int32_t output_w;         /**< W of the output, > 0 */
    int32_t filter_h;         /**< H of the filter, > 0 */
    int32_t filter_w;         /**< W of the filter, > 0 */
    int32_t stride_h;         /**< > 0 */
    int32_t stride_w;         /**< > 0 */
    int32_t dilation_w;       /**< > 0; along H there is none */
    int32_t pad_top;          /**< rows of padding above the input, >= 0 */
    int32_t pad_left;         /**< columns of padding left of the input, >= 0 */
    int32_t zero_point;       /**< of the input, [-128, 127] */
    int32_t output_offset;    /**< zero_point of the output; else 255 - activation_max more */
    int32_t has_sign;         /**< 1: negative sums must be rounded away from zero; else 0 */
    int32_t is_saturating;    /**< 1: the activation's range is [-128, 127]; else 0 */
    int32_t activation_min;   /**< [-128, 127] */
    int32_t activation_max;   /**< [activation_min, 127] */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_s8_any_dsp_params;

/**
 * What a worker computes: one or two lines of some channels. Its frame holds a copy; mind the
 * offsets. A line is a row of the output; below one whose windows begin with the upper row of a
 * plane there may be one whose windows begin with a lower row.
 */
typedef struct {
    int32_t offset;         /**< added to the quotients */
    int32_t least;          /**< activation_min */
    int32_t slack;          /**< 255 less the width of the activation's range */
    int32_t step;           /**< from one output of a line to the next in the planes */
    int32_t taps;           /**< 2^16 times the inner loop's turns less one, and its step */
    int32_t outer_step;     /**< from the inner loop's end to its next begin */
    int32_t outer;          /**< turns of the outer loop, > 0 */
    int32_t output_step;    /**< from one output of a line to the next */
    int32_t count;          /**< outputs of the first line, > 0 */
    int32_t second_count;   /**< outputs of the second line, >= 0 */
    int32_t second_planes;  /**< from the first line's planes to the second's */
    int32_t second_output;  /**< from the first line's outputs to the second's */
    int32_t channels;       /**< > 0 */
    const int32_t *numbers; /**< bias, multiplier and power of the first channel */
    int32_t numbers_bytes;  /**< from one channel to the next */
    const uint32_t *pairs;  /**< weights of the first channel, in pairs: a line's, another's */
    int32_t pairs_bytes;    /**< from one channel to the next */
    const uint32_t *planes; /**< the first output's window of the first channel */
    int8_t *output;         /**< the first output of the first channel */
    int32_t channel_bytes;  /**< from one channel to the next in the planes; 0: the same again */
} ts_depthwise_lines;

/*
 * The workers' text. Registers: r0 planes, r1 weights, r2 step, r3 three steps, r4 taps, r5 to r8
 * sums, r9 to r12 numbers of the planes, lr a weight. In the frame: 0 bias, 4 multiplier, 8 power,
 * 12 planes, 16 weights and 20 output of the next turn, 24 outputs left, 28 turns of the outer loop
 * left, 32 whether it is the second line, then the job.
 */

#define TS_DEPTHWISE_ANY_SCALE(op) "smmlar " op ", " op ", r9, " op "\n"
#define TS_DEPTHWISE_ANY_SIGN(op) "add.w " op ", " op ", " op ", asr #31\n"
#define TS_DEPTHWISE_ANY_SHIFT(op) "smmlar " op ", " op ", r10, r11\n"
#define TS_DEPTHWISE_ANY_SATURATE(op) "ssat " op ", #8, " op "\n"
#define TS_DEPTHWISE_ANY_CUT(op) "usat " op ", #8, " op "\n"
#define TS_DEPTHWISE_ANY_LIFT(op) "uqsub8 " op ", " op ", r9\n"
#define TS_DEPTHWISE_ANY_LOWER(op) "add.w " op ", " op ", r10\n"
#define TS_DEPTHWISE_ANY_ONE(step) step("r5")
#define TS_DEPTHWISE_ANY_FOUR(step) step("r5") step("r6") step("r7") step("r8")

/* Signs and limits: none, the signs, or both. */
#define TS_DEPTHWISE_ANY_PLAIN(each) each(TS_DEPTHWISE_ANY_SHIFT) each(TS_DEPTHWISE_ANY_SATURATE)
#define TS_DEPTHWISE_ANY_SIGNED(each) each(TS_DEPTHWISE_ANY_SIGN) TS_DEPTHWISE_ANY_PLAIN(each)
#define TS_DEPTHWISE_ANY_LIMITED(each)                                                             \
    each(TS_DEPTHWISE_ANY_SIGN) each(TS_DEPTHWISE_ANY_SHIFT) each(TS_DEPTHWISE_ANY_CUT)            \
        "ldr.w r9, [sp, #44]\n"                                                                    \
        "ldr.w r10, [sp, #40]\n" each(TS_DEPTHWISE_ANY_LIFT) each(TS_DEPTHWISE_ANY_LOWER)

/* Begin a turn with `r5` as the bias. */
#define TS_DEPTHWISE_ANY_BEGIN                                                                     \
    "str.w r4, [sp, #24]\n"                                                                        \
    "ldr.w r0, [sp, #12]\n"                                                                        \
    "ldr.w r1, [sp, #16]\n"                                                                        \
    "ldr.w r5, [sp]\n"                                                                             \
    "ldr.w r9, [sp, #60]\n"                                                                        \
    "ldr.w r4, [sp, #52]\n"                                                                        \
    "str.w r9, [sp, #28]\n"

/* Behind the inner loop: again, if the outer loop is not through. */
#define TS_DEPTHWISE_ANY_OUTER(label)                                                              \
    "ldr.w r9, [sp, #28]\n"                                                                        \
    "ldr.w r10, [sp, #56]\n"                                                                       \
    "ldr.w r4, [sp, #52]\n"                                                                        \
    "subs.w r9, r9, #1\n"                                                                          \
    "str.w r9, [sp, #28]\n"                                                                        \
    "add.w r0, r0, r10\n"                                                                          \
    "bne " label "b\n"

#define TS_DEPTHWISE_ANY_FINISH(each, kind)                                                        \
    "ldr.w r9, [sp, #4]\n"                                                                         \
    "ldr.w r10, [sp, #8]\n"                                                                        \
    "ldr.w r11, [sp, #36]\n"                                                                       \
    "ldr.w r12, [sp, #20]\n"                                                                       \
    "ldr.w lr, [sp, #64]\n"                                                                        \
    "ldr.w r4, [sp, #24]\n"                                                                        \
    "ldr.w r0, [sp, #12]\n" each(TS_DEPTHWISE_ANY_SCALE) kind(each)

#define TS_DEPTHWISE_ANY_TEXT(kind)                                                                \
    "add.w lr, r0, #40\n"                                                                          \
    "ldm.w lr, {r3-r12}\n"                                                                         \
    "push.w {r3-r12}\n"                                                                            \
    "ldm.w r0, {r1-r10}\n"                                                                         \
    "push.w {r1-r10}\n"                                                                            \
    "sub sp, sp, #36\n"                                                                            \
    "10: ldr.w r8, [sp, #88]\n"                                                                    \
    "ldr.w r1, [sp, #96]\n"                                                                        \
    "ldr.w r0, [sp, #104]\n"                                                                       \
    "ldr.w r12, [sp, #108]\n"                                                                      \
    "ldr.w r6, [sp, #92]\n"                                                                        \
    "ldr.w r7, [sp, #100]\n"                                                                       \
    "ldr.w lr, [sp, #112]\n"                                                                       \
    "ldr.w r4, [sp, #68]\n"                                                                        \
    "ldr.w r2, [sp, #48]\n"                                                                        \
    "ldm.w r8, {r9, r10, r11}\n"                                                                   \
    "stm.w sp, {r9, r10, r11}\n"                                                                   \
    "add.w r8, r8, r6\n"                                                                           \
    "str.w r8, [sp, #88]\n"                                                                        \
    "add.w r7, r7, r1\n"                                                                           \
    "str.w r7, [sp, #96]\n"                                                                        \
    "add.w lr, lr, r0\n"                                                                           \
    "str.w lr, [sp, #104]\n"                                                                       \
    "add.w r9, r12, #1\n"                                                                          \
    "str.w r9, [sp, #108]\n"                                                                       \
    "movs r5, #0\n"                                                                                \
    "add.w r3, r2, r2, lsl #1\n"                                                                   \
    "15: str.w r0, [sp, #12]\n"                                                                    \
    "str.w r1, [sp, #16]\n"                                                                        \
    "str.w r12, [sp, #20]\n"                                                                       \
    "str.w r5, [sp, #32]\n"                                                                        \
    "cmp r4, #4\n"                                                                                 \
    "blt.w 60f\n"                                                                                  \
    "20:\n" TS_DEPTHWISE_ANY_BEGIN "mov r6, r5\n"                                                  \
    "mov r7, r5\n"                                                                                 \
    "mov r8, r5\n"                                                                                 \
    ".balign 4\n"                                                                                  \
    "30: ldr.w r9, [r0]\n"                                                                         \
    "ldr.w r10, [r0, r2]\n"                                                                        \
    "ldr.w r11, [r0, r2, lsl #1]\n"                                                                \
    "ldr.w r12, [r0, r3]\n"                                                                        \
    "ldr.w lr, [r1], #4\n"                                                                         \
    "subs.w r4, r4, #65536\n"                                                                      \
    "uxtah r0, r0, r4\n"                                                                           \
    "smlad r5, r9, lr, r5\n"                                                                       \
    "smlad r6, r10, lr, r6\n"                                                                      \
    "smlad r7, r11, lr, r7\n"                                                                      \
    "smlad r8, r12, lr, r8\n"                                                                      \
    "bpl 30b\n" TS_DEPTHWISE_ANY_OUTER("30")                                                       \
        TS_DEPTHWISE_ANY_FINISH(TS_DEPTHWISE_ANY_FOUR, kind)                                       \
    "strb.w r5, [r12]\n"                                                                           \
    "strb.w r6, [r12, lr]\n"                                                                       \
    "add.w r12, r12, lr, lsl #1\n"                                                                 \
    "subs r4, #4\n"                                                                                \
    "strb.w r7, [r12]\n"                                                                           \
    "strb.w r8, [r12, lr]\n"                                                                       \
    "beq 50f\n"                                                                                    \
    "mov r9, r4\n"                                                                                 \
    "cmp r4, #4\n"                                                                                 \
    "ite lt\n"                                                                                     \
    "movlt r4, #4\n"                                                                               \
    "movge r9, #4\n"                                                                               \
    "mla r0, r9, r2, r0\n"                                                                         \
    "sub.w r9, r9, #2\n"                                                                           \
    "mla r12, r9, lr, r12\n"                                                                       \
    "str.w r0, [sp, #12]\n"                                                                        \
    "str.w r12, [sp, #20]\n"                                                                       \
    "b 20b\n"                                                                                      \
    "50: ldr.w r5, [sp, #32]\n"                                                                    \
    "ldr.w r4, [sp, #72]\n"                                                                        \
    "cbnz r5, 55f\n"                                                                               \
    "cbz r4, 55f\n"                                                                                \
    "ldr.w r0, [sp, #104]\n"                                                                       \
    "ldr.w r6, [sp, #112]\n"                                                                       \
    "ldr.w r7, [sp, #76]\n"                                                                        \
    "ldr.w r12, [sp, #108]\n"                                                                      \
    "ldr.w r8, [sp, #80]\n"                                                                        \
    "subs r0, r0, r6\n"                                                                            \
    "add.w r0, r0, r7\n"                                                                           \
    "sub.w r12, r12, #1\n"                                                                         \
    "add.w r12, r12, r8\n"                                                                         \
    "movs r5, #1\n"                                                                                \
    "b 15b\n"                                                                                      \
    "55: ldr.w r8, [sp, #84]\n"                                                                    \
    "subs.w r8, r8, #1\n"                                                                          \
    "str.w r8, [sp, #84]\n"                                                                        \
    "bne.w 10b\n"                                                                                  \
    "b 90f\n"                                                                                      \
    "60:\n" TS_DEPTHWISE_ANY_BEGIN ".balign 4\n"                                                   \
    "70: ldr.w r9, [r0]\n"                                                                         \
    "ldr.w lr, [r1], #4\n"                                                                         \
    "subs.w r4, r4, #65536\n"                                                                      \
    "uxtah r0, r0, r4\n"                                                                           \
    "smlad r5, r9, lr, r5\n"                                                                       \
    "bpl 70b\n" TS_DEPTHWISE_ANY_OUTER("70")                                                       \
        TS_DEPTHWISE_ANY_FINISH(TS_DEPTHWISE_ANY_ONE, kind)                                        \
    "strb.w r5, [r12]\n"                                                                       \
    "add.w r12, r12, lr\n"                                                                         \
    "add.w r0, r0, r2\n"                                                                           \
    "str.w r0, [sp, #12]\n"                                                                        \
    "str.w r12, [sp, #20]\n"                                                                       \
    "subs r4, #1\n"                                                                                \
    "bne 60b\n"                                                                                    \
    "b 50b\n"                                                                                      \
    "90: add sp, sp, #116\n"

#define TS_DEPTHWISE_ANY_WORKER(name, kind)                                                        \
    TS_DEPTHWISE_SHARED void name(const ts_depthwise_lines *lines)                                 \
    {                                                                                              \
        register const ts_depthwise_lines *at __asm__("r0") = lines;                               \
        __asm__ volatile(TS_DEPTHWISE_ANY_TEXT(kind)                                               \
                         : "+r"(at)                                                                \
                         :                                                                         \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11",     \
                           "r12", "lr", "cc", "memory");                                           \
    }

/** A worker computes lines: 14 cycles for each pair of taps of four outputs on the Cortex-M4. */
typedef void ts_depthwise_any_worker(const ts_depthwise_lines *lines);

TS_DEPTHWISE_ANY_WORKER(ts_depthwise_any_plain, TS_DEPTHWISE_ANY_PLAIN)
TS_DEPTHWISE_ANY_WORKER(ts_depthwise_any_signed, TS_DEPTHWISE_ANY_SIGNED)
TS_DEPTHWISE_ANY_WORKER(ts_depthwise_any_limited, TS_DEPTHWISE_ANY_LIMITED)

/**
 * @brief Lay out a channel's weights in pairs, as the inner loop takes them.
 * @param[in] packed bytes w[0], w[2], w[1], w[3] of the first column, and so on
 * @param columns of the filter
 * @param pairs planes that a window touches
 * @param has_second whether those of windows that begin with a lower row follow
 * @param[out] to where
 */
TS_DEPTHWISE_SHARED void ts_depthwise_pairs(const int32_t *packed, int32_t columns, int32_t pairs,
                                            bool has_second, uint32_t *to)
{
    const int32_t second = has_second ? columns * pairs : 0;
    for (int32_t j = 0; j < columns; j++) {
        uint32_t *at = to + j;
        uint32_t before = 0;
        for (int32_t left = pairs; left > 0; left -= 2) {
            const uint32_t word = (uint32_t)*packed++;
            const uint32_t one = ts_even_bytes(word);
            const uint32_t other = ts_odd_bytes(word);
            /* The second line's first: without one the first line's take their places. */
            at[second] = ts_low_halves(before >> 16, one);
            at[0] = one;
            at += columns;
            if (left > 1) {
                at[second] = ts_low_halves(one >> 16, other);
                at[0] = other;
                at += columns;
            }
            before = other;
        }
    }
}

/**
 * @brief The kernel, shared by all layers.
 * @param worker the one of the activation
 * @param make the one of the channels
 */
TS_DEPTHWISE_SHARED void ts_depthwise_any(const ts_depthwise_conv_2d_s8_any_dsp_params *params,
                                          const int8_t *input, const int32_t *weights,
                                          int8_t *output, uint8_t *scratch,
                                          ts_depthwise_any_worker *worker,
                                          ts_depthwise_maker *make)
{
    const int32_t c = params->input_c;
    const int32_t multiplier = params->depth_multiplier;
    const int32_t pixel_bytes = c * multiplier;
    const bool is_in_place = (const int8_t *)output == input;
    const int32_t row_bytes = (is_in_place ? params->input_w : params->output_w) * pixel_bytes;
    const int32_t image_rows = is_in_place ? params->input_h : params->output_h;
    /* An odd stride makes every other row of outputs begin with the lower row of a plane. */
    const bool is_odd = params->stride_h & 1;
    const int32_t rows = is_odd ? 2 : 1;
    const int32_t advance = is_odd ? params->stride_h : params->stride_h / 2;
    const int32_t pairs = is_odd ? params->filter_h / 2 + 1 : (params->filter_h + 1) / 2;
    const int32_t needed = pairs + (is_odd ? params->stride_h / 2 : 0);
    const int32_t depth_bytes = needed * TS_DEPTHWISE_COLUMN;
    const int32_t width = params->filter_w;
    const int32_t columns = (params->output_w - 1) * params->stride_w +
                            (width - 1) * params->dilation_w + 1 - params->pad_left;
    const int32_t inner = columns < params->input_w ? columns : params->input_w;
    const uint32_t zero = (uint32_t)params->zero_point;
    ts_depthwise_source source = {
        .input_h = params->input_h,
        .last = (int8_t *)scratch,
        .row_bytes = params->input_w * c,
        .pixel_bytes = c,
        .depth_bytes = depth_bytes,
        .pad_left = params->pad_left,
        .inner = inner,
        .pad_right = columns - inner,
        .zero_pair = (zero & 0xFFFFU) * 0x00010001U,
        .zero_point = (zero & 0xFFU) * 0x01010101U,
    };
    const int32_t number_words = 3 + width * ((pairs + 1) / 2);
    const int32_t pair_words = width * pairs * rows;
    const int32_t tap_bytes = params->dilation_w * depth_bytes;
    const int32_t end = c < 4 ? c : 4;
    uint32_t *laid_out =
        (uint32_t *)(void *)(scratch + (c < 4 ? (params->input_w * c + 6) / 4 * 4 : 0));
    uint32_t *planes = laid_out + 4 * multiplier * pair_words;
    ts_depthwise_lines lines = {
        .offset = params->output_offset,
        .least = params->activation_min,
        .slack = 255 - params->activation_max + params->activation_min,
        .step = params->stride_w * depth_bytes,
        .taps = (width - 1) * 65536 + tap_bytes,
        .outer_step = TS_DEPTHWISE_COLUMN - width * tap_bytes,
        .outer = pairs,
        .output_step = pixel_bytes,
        .count = params->output_w,
        .second_planes = params->stride_h / 2 * TS_DEPTHWISE_COLUMN,
        .second_output = row_bytes,
        .numbers_bytes = 4 * number_words,
        .pairs_bytes = 4 * pair_words,
        .channel_bytes = multiplier == 1 ? 4 : 0,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        const int32_t *numbers = weights;
        int8_t *target = output;
        for (int32_t channel = 0; channel < c; channel += 4) {
            const int32_t first = ts_depthwise_first(channel, c);
            const int32_t skip = channel - first;
            const int32_t computed = (end - skip) * multiplier;
            for (int32_t k = 0; k < computed; k++) {
                ts_depthwise_pairs(numbers + number_words * k + 3, width, pairs, is_odd,
                                   laid_out + k * pair_words);
            }
            source.row = input + first - params->pad_top * source.row_bytes;
            source.y = -params->pad_top;
            source.column = planes;
            const uint32_t *window = planes + skip;
            int8_t *band = target;
            int32_t making = needed;
            for (int32_t left = params->output_h; left > 0; left -= rows) {
                make(&source, making);
                making = advance;
                lines.second_count = is_odd && left > 1 ? params->output_w : 0;
                lines.numbers = numbers;
                lines.pairs = laid_out;
                lines.planes = window;
                lines.output = band;
                lines.channels = multiplier == 1 ? computed : multiplier;
                for (int32_t k = skip; k < end; k++) {
                    worker(&lines);
                    if (multiplier == 1) {
                        break;
                    }
                    lines.numbers += multiplier * number_words;
                    lines.pairs += multiplier * pair_words;
                    lines.planes++;
                    lines.output += multiplier;
                }
                window += advance * (TS_DEPTHWISE_COLUMN / 4);
                band += rows * row_bytes;
            }
            numbers += computed * number_words;
            target += computed;
        }
        input += params->input_h * source.row_bytes;
        output += image_rows * row_bytes;
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[i,j,o] * input[n,y',x',c]))` for
 * c = o / depth_multiplier; what padding holds is folded into the bias.
 *
 * Here y' = y * stride_h - pad_top + i and x' = x * stride_w - pad_left + j * dilation_w. The
 * output may be where the input is if its rows are no wider and no more and depth_multiplier is 1.
 *
 * @param params sizes and ranges, a literal at the call
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] weights int32 `[O, 3 + ...]`: bias, multiplier and power (ts_requantize_short()), then
 * for each column of the filter words of bytes w[0], w[2], w[1], w[3]; zeros behind the last row
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch if C < 4, a row of the input and 3 bytes, in whole words; weights of four
 * channels in pairs; planes: 16 bytes for each column of padded input and plane that is kept, and
 * 16 for each plane that is not
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s8_any_dsp(const ts_depthwise_conv_2d_s8_any_dsp_params *params,
                                const int8_t *input, const int32_t *weights, int8_t *output,
                                uint8_t *scratch)
{
    ts_depthwise_any_worker *worker = !params->is_saturating ? ts_depthwise_any_limited
                                      : params->has_sign     ? ts_depthwise_any_signed
                                                             : ts_depthwise_any_plain;
    ts_depthwise_any(params, input, weights, output, scratch, worker,
                     ts_depthwise_maker_of(params->input_c));
    if (params->output_w < params->input_w ||
        (params->output_h < params->input_h && params->batches > 1)) {
        if ((const int8_t *)output == input) {
            const int32_t row_bytes = params->output_w * params->input_c;
            const int32_t behind = params->input_w * params->input_c;
            ts_depthwise_close_up(output, params->batches, params->output_h, row_bytes,
                                  behind - row_bytes,
                                  (params->input_h - params->output_h) * behind);
        }
    }
}

#endif
