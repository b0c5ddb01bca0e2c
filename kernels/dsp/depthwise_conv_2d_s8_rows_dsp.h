/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 for narrow images, n x 1 filters above all, with DSP.
 *
 * Four channels at a time: all rows of the input become planes (depthwise_dsp.h), then each channel
 * is computed by itself, four rows of a column of the output a turn.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S8_ROWS_DSP_H
#define TS_DEPTHWISE_CONV_2D_S8_ROWS_DSP_H

#include <stdbool.h>
#include <stdint.h>

#include "depthwise_dsp.h"

/** Parameters of ts_depthwise_conv_2d_s8_rows_dsp(). */
typedef struct {
    int32_t batches;          /**< N, > 0 */
    int32_t input_h;          /**< H of the input, > 0 */
    int32_t input_w;          /**< W of the input, > 0 */
    int32_t input_c;          /**< C, > 0 */
    int32_t output_h;         /**< H of the output, > 0 */
    int32_t output_w;         /**< W of the output, > 0 */
    int32_t filter_h;         /**< H of the filter, > 0 */
    int32_t filter_w;         /**< W of the filter, > 0 */
    int32_t stride_w;         /**< along W, > 0; along H it is 1 */
    int32_t dilation_w;       /**< along W, > 0; along H there is none */
    int32_t pad_top;          /**< rows of padding above the input, >= 0 */
    int32_t pad_left;         /**< columns of padding left of the input, >= 0 */
    int32_t zero_point;       /**< of the input, [-128, 127] */
    int32_t output_offset;    /**< zero_point of the output; else 255 - activation_max more */
    int32_t has_sign;         /**< 1: negative sums must be rounded away from zero; else 0 */
    int32_t is_saturating;    /**< 1: the activation's range is [-128, 127]; else 0 */
    int32_t activation_min;   /**< [-128, 127] */
    int32_t activation_max;   /**< [activation_min, 127] */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_s8_rows_dsp_params;

/** What a worker computes: a column of some channels. Its frame holds a copy; mind the offsets. */
typedef struct {
    int32_t offset;         /**< added to the quotients */
    int32_t least;          /**< activation_min */
    int32_t slack;          /**< 255 less the width of the activation's range */
    int32_t row_bytes;      /**< from one row of the output to the next */
    int32_t rows;           /**< of the output, > 0 */
    int32_t words;          /**< of four weights a column of the filter, > 0 */
    int32_t filter_w;       /**< columns of the filter, > 0 */
    int32_t column_step;    /**< from the end of a column of planes to the filter's next column */
    int32_t channels;       /**< > 0 */
    const int32_t *numbers; /**< bias, multiplier, power and weights of the first channel */
    const uint32_t *planes; /**< the first window of the first channel */
    int8_t *output;         /**< the first output of the first channel */
    int32_t channel_bytes;  /**< from one channel to the next in the planes; 0: the same again */
} ts_depthwise_column;

/*
 * The workers' text. Registers: r0 planes, r1 weights, r2 words left, r3 a word, r4 to r7 sums of
 * four rows, r8 to r10 planes, r11 and r12 pairs of weights for upper rows: w[1] below w[0], which
 * smladx exchanges, so that lr, the pair of w[-1] and w[0] for lower rows, is packed of their
 * halves. In the frame: 0 bias, 4 multiplier, 8 power, 12 weights, 16 planes of the next turn, 20
 * rows left, 24 columns left, then the job. */

#define TS_DEPTHWISE_ROWS_SCALE(op) "smmlar " op ", " op ", r8, " op "\n"
#define TS_DEPTHWISE_ROWS_SIGN(op) "add.w " op ", " op ", " op ", asr #31\n"
#define TS_DEPTHWISE_ROWS_SHIFT(op) "smmlar " op ", " op ", r9, r10\n"
#define TS_DEPTHWISE_ROWS_SATURATE(op) "ssat " op ", #8, " op "\n"
#define TS_DEPTHWISE_ROWS_CUT(op) "usat " op ", #8, " op "\n"
#define TS_DEPTHWISE_ROWS_LIFT(op) "uqsub8 " op ", " op ", r8\n"
#define TS_DEPTHWISE_ROWS_LOWER(op) "add.w " op ", " op ", r9\n"
#define TS_DEPTHWISE_ROWS_EACH(step) step("r4") step("r5") step("r6") step("r7")

/* Signs and limits: none, the signs, or both. */
#define TS_DEPTHWISE_ROWS_PLAIN                                                                    \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SHIFT)                                                \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SATURATE)
#define TS_DEPTHWISE_ROWS_SIGNED                                                                   \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SIGN) TS_DEPTHWISE_ROWS_PLAIN
#define TS_DEPTHWISE_ROWS_LIMITED                                                                  \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SIGN)                                                 \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SHIFT)                                                \
    TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_CUT)                                                  \
    "ldr.w r8, [sp, #36]\n"                                                                        \
    "ldr.w r9, [sp, #32]\n" TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_LIFT)                         \
        TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_LOWER)

#define TS_DEPTHWISE_ROWS_TEXT(kind)                                                               \
    "ldm.w r0, {r0-r12}\n"                                                                         \
    "push.w {r0-r12}\n"                                                                            \
    "sub sp, sp, #28\n"                                                                            \
    "10: ldr.w r1, [sp, #64]\n"                                                                    \
    "ldr.w r0, [sp, #68]\n"                                                                        \
    "ldr.w r3, [sp, #76]\n"                                                                        \
    "ldr.w r2, [sp, #44]\n"                                                                        \
    "ldm.w r1!, {r4, r5, r6}\n"                                                                    \
    "str.w r2, [sp, #20]\n"                                                                        \
    "str.w r4, [sp]\n"                                                                             \
    "str.w r5, [sp, #4]\n"                                                                         \
    "str.w r6, [sp, #8]\n"                                                                         \
    "str.w r1, [sp, #12]\n"                                                                        \
    "add.w r3, r3, r0\n"                                                                           \
    "str.w r3, [sp, #68]\n"                                                                        \
    "ldr.w r11, [sp, #72]\n"                                                                       \
    "add.w r3, r11, #1\n"                                                                          \
    "str.w r3, [sp, #72]\n"                                                                        \
    "str.w r11, [sp, #64]\n"                                                                       \
    /* A turn: four rows. While channels are computed the numbers' place holds the output's. */    \
    "20: ldr.w r1, [sp, #12]\n"                                                                    \
    "ldr.w r4, [sp]\n"                                                                             \
    "ldr.w r3, [sp, #52]\n"                                                                        \
    "ldr.w r2, [sp, #48]\n"                                                                        \
    "add.w r5, r0, #32\n"                                                                          \
    "str.w r5, [sp, #16]\n"                                                                        \
    "str.w r3, [sp, #24]\n"                                                                        \
    "mov r5, r4\n"                                                                                 \
    "mov r6, r4\n"                                                                                 \
    "mov r7, r4\n"                                                                                 \
    "30: ldr.w r8, [r0]\n"                                                                         \
    "mov.w r12, #0\n"                                                                              \
    ".balign 4\n"                                                                                  \
    "40: ldr.w r9, [r0, #16]\n"                                                                    \
    "ldr.w r10, [r0, #32]!\n"                                                                      \
    "ldr.w r3, [r1], #4\n"                                                                         \
    "subs.w r2, r2, #1\n"                                                                          \
    "sxtb16 r11, r3\n"                                                                             \
    "pkhbt lr, r12, r11\n"                                                                         \
    "sxtb16 r12, r3, ror #8\n"                                                                     \
    "smladx r4, r8, r11, r4\n"                                                                     \
    "smlad r5, r8, lr, r5\n"                                                                       \
    "smladx r6, r9, r11, r6\n"                                                                     \
    "smlad r7, r9, lr, r7\n"                                                                       \
    "pkhbt lr, r11, r12\n"                                                                         \
    "mov.w r8, r10\n"                                                                              \
    "smladx r4, r9, r12, r4\n"                                                                     \
    "smlad r5, r9, lr, r5\n"                                                                       \
    "smladx r6, r10, r12, r6\n"                                                                    \
    "smlad r7, r10, lr, r7\n"                                                                      \
    "bne 40b\n"                                                                                    \
    "ldr.w r3, [sp, #24]\n"                                                                        \
    "subs r3, #1\n"                                                                                \
    "bne 60f\n"                                                                                    \
    "ldr.w r8, [sp, #4]\n"                                                                         \
    "ldr.w r9, [sp, #8]\n"                                                                         \
    "ldr.w r10, [sp, #28]\n"                                                                       \
    "ldr.w r11, [sp, #64]\n"                                                                       \
    "ldr.w r12, [sp, #40]\n"                                                                       \
    "ldr.w r2, [sp, #20]\n"                                                                        \
    "ldr.w r0, [sp, #16]\n" TS_DEPTHWISE_ROWS_EACH(TS_DEPTHWISE_ROWS_SCALE) kind                   \
    "subs r2, #4\n"                                                                                \
    "ble 50f\n"                                                                                    \
    "strb.w r4, [r11]\n"                                                                           \
    "strb.w r5, [r11, r12]\n"                                                                      \
    "add.w r11, r11, r12, lsl #1\n"                                                                \
    "str.w r2, [sp, #20]\n"                                                                        \
    "strb.w r6, [r11]\n"                                                                           \
    "strb.w r7, [r11, r12]\n"                                                                      \
    "add.w r11, r11, r12, lsl #1\n"                                                                \
    "str.w r11, [sp, #64]\n"                                                                       \
    "b 20b\n"                                                                                      \
    /* The filter's next column. */                                                                \
    "60: ldr.w r8, [sp, #56]\n"                                                                    \
    "ldr.w r2, [sp, #48]\n"                                                                        \
    "str.w r3, [sp, #24]\n"                                                                        \
    "add.w r0, r0, r8\n"                                                                           \
    "b 30b\n"                                                                                      \
    "50: strb.w r4, [r11]\n"                                                                       \
    "adds r2, #2\n"                                                                                \
    "it ge\n"                                                                                      \
    "strbge.w r5, [r11, r12]\n"                                                                    \
    "add.w r11, r11, r12, lsl #1\n"                                                                \
    "cmp r2, #1\n"                                                                                 \
    "it ge\n"                                                                                      \
    "strbge.w r6, [r11]\n"                                                                         \
    "it gt\n"                                                                                      \
    "strbgt.w r7, [r11, r12]\n"                                                                    \
    "ldr.w r8, [sp, #60]\n"                                                                        \
    "str.w r1, [sp, #64]\n"                                                                        \
    "subs.w r8, r8, #1\n"                                                                          \
    "str.w r8, [sp, #60]\n"                                                                        \
    "bne.w 10b\n"                                                                                  \
    "add sp, sp, #80\n"

#define TS_DEPTHWISE_ROWS_WORKER(name, kind)                                                       \
    TS_DEPTHWISE_SHARED void name(const ts_depthwise_column *column)                               \
    {                                                                                              \
        register const ts_depthwise_column *at __asm__("r0") = column;                             \
        __asm__ volatile(TS_DEPTHWISE_ROWS_TEXT(kind)                                              \
                         : "+r"(at)                                                                \
                         :                                                                         \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11",     \
                           "r12", "lr", "cc", "memory");                                           \
    }

/** A worker computes a column: 20 cycles for four taps of four rows on the Cortex-M4. */
typedef void ts_depthwise_rows_worker(const ts_depthwise_column *column);

TS_DEPTHWISE_ROWS_WORKER(ts_depthwise_rows_plain, TS_DEPTHWISE_ROWS_PLAIN)
TS_DEPTHWISE_ROWS_WORKER(ts_depthwise_rows_signed, TS_DEPTHWISE_ROWS_SIGNED)
TS_DEPTHWISE_ROWS_WORKER(ts_depthwise_rows_limited, TS_DEPTHWISE_ROWS_LIMITED)

/**
 * @brief Make all planes of four channels.
 *
 * An image of one column lies in memory as two rows would: its even rows, and its odd ones.
 *
 * @param params sizes
 * @param[in,out] source where the planes come from
 * @param[in] image first pixel, the first of the four channels
 * @param[out] planes column 0 of plane 0
 * @param depth how many planes
 * @param make planes of rows
 */
static inline __attribute__((always_inline)) void
ts_depthwise_all_planes(const ts_depthwise_conv_2d_s8_rows_dsp_params *params,
                        ts_depthwise_source *source, const int8_t *image, uint32_t *planes,
                        int32_t depth, ts_depthwise_maker *make)
{
    source->column = planes;
    if (source->depth_bytes != TS_DEPTHWISE_COLUMN) {
        source->row = image - params->pad_top * source->row_bytes;
        source->y = -params->pad_top;
        make(source, depth);
        return;
    }
    const int32_t inner = params->input_h / 2;
    const bool is_odd = params->input_h & 1;
    const int32_t pad_right = depth - params->pad_top / 2 - inner - is_odd;
    source->row = image;
    source->y = 0;
    source->input_h = 2;
    source->pad_left = params->pad_top / 2;
    source->inner = inner;
    source->pad_right = is_odd ? 0 : pad_right;
    ts_depthwise_planes(source, 1);
    if (is_odd) {
        source->row = image + inner * source->pixel_bytes;
        source->column = planes + (params->pad_top / 2 + inner) * (TS_DEPTHWISE_COLUMN / 4);
        source->y = 1;
        source->pad_left = 0;
        source->inner = 1;
        source->pad_right = pad_right;
        ts_depthwise_planes(source, 1);
    }
}

/**
 * @brief The kernel, shared by all layers.
 * @param worker the one of the activation
 * @param make the one of the channels
 */
TS_DEPTHWISE_SHARED void ts_depthwise_rows(const ts_depthwise_conv_2d_s8_rows_dsp_params *params,
                                           const int8_t *input, const int32_t *weights,
                                           int8_t *output, uint8_t *scratch,
                                           ts_depthwise_rows_worker *worker,
                                           ts_depthwise_maker *make)
{
    const int32_t c = params->input_c;
    const int32_t multiplier = params->depth_multiplier;
    const int32_t pixel_bytes = c * multiplier;
    const bool is_in_place = (const int8_t *)output == input;
    const int32_t row_bytes = (is_in_place ? params->input_w : params->output_w) * pixel_bytes;
    const int32_t image_rows = is_in_place ? params->input_h : params->output_h;
    /* Words of weights, planes that windows touch, and planes that the last turn reads besides. */
    const int32_t words = (params->filter_h / 2 + 2) / 2;
    const int32_t depth = (params->output_h + params->filter_h) / 2;
    const int32_t most = (params->output_h + 3) / 4 * 2 + 2 * words - 1;
    const int32_t columns = (params->output_w - 1) * params->stride_w +
                            (params->filter_w - 1) * params->dilation_w + 1 - params->pad_left;
    const int32_t inner = columns < params->input_w ? columns : params->input_w;
    const bool is_column = params->input_w == 1 && columns == 1 && params->pad_left == 0 &&
                           params->pad_top % 2 == 0 && params->input_h > 1 && c >= 4;
    const int32_t column_bytes = most * TS_DEPTHWISE_COLUMN;
    const uint32_t zero = (uint32_t)params->zero_point;
    uint32_t *const planes =
        (uint32_t *)(void *)(scratch + (c < 4 ? (params->input_w * c + 6) / 4 * 4 : 0));
    const int32_t end = c < 4 ? c : 4;
    ts_depthwise_source source = {
        .input_h = params->input_h,
        .last = (int8_t *)scratch,
        .row_bytes = params->input_w * c,
        .pixel_bytes = is_column ? 2 * c : c,
        .depth_bytes = is_column ? TS_DEPTHWISE_COLUMN : column_bytes,
        .pad_left = params->pad_left,
        .inner = inner,
        .pad_right = columns - inner,
        .zero_pair = (zero & 0xFFFFU) * 0x00010001U,
        .zero_point = (zero & 0xFFU) * 0x01010101U,
    };
    ts_depthwise_column column = {
        .offset = params->output_offset,
        .least = params->activation_min,
        .slack = 255 - params->activation_max + params->activation_min,
        .row_bytes = row_bytes,
        .rows = params->output_h,
        .words = words,
        .filter_w = params->filter_w,
        .column_step = params->dilation_w * column_bytes - words * 2 * TS_DEPTHWISE_COLUMN,
        .channel_bytes = multiplier == 1 ? 4 : 0,
    };
    const int32_t channel_words = 3 + words * params->filter_w;
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t channel = 0; channel < c; channel += 4) {
            const int32_t first = ts_depthwise_first(channel, c);
            ts_depthwise_all_planes(params, &source, input + first, planes, depth, make);
            const uint32_t *window = planes + channel - first;
            int8_t *target = output + channel * multiplier;
            for (int32_t x = 0; x < params->output_w; x++) {
                column.numbers = weights + channel * multiplier * channel_words;
                column.planes = window;
                column.output = target;
                column.channels = multiplier == 1 ? end - channel + first : multiplier;
                for (int32_t k = channel; k < first + end; k++) {
                    worker(&column);
                    if (multiplier == 1) {
                        break;
                    }
                    column.numbers += multiplier * channel_words;
                    column.planes++;
                    column.output += multiplier;
                }
                window += params->stride_w * column_bytes / 4;
                target += pixel_bytes;
            }
        }
        input += params->input_h * params->input_w * c;
        output += image_rows * row_bytes;
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[i,j,o] * input[n,y',x',c]))` for
 * c = o / depth_multiplier; what padding holds is folded into the bias.
 *
 * Here y' = y - pad_top + i and x' = x * stride_w - pad_left + j * dilation_w. The output may be
 * where the input is if its rows are no wider and no more and depth_multiplier is 1.
 *
 * @param params sizes and ranges, a literal at the call
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] weights int32 `[O, 3 + ...]`: bias, multiplier and power (ts_requantize_short()), then
 * for each column of the filter words of bytes w[1], w[3], w[0], w[2]; zeros behind the last row
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch if C < 4, a row of the input and 3 bytes, in whole words; planes: 16 bytes for
 * each column of padded input and plane
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s8_rows_dsp(const ts_depthwise_conv_2d_s8_rows_dsp_params *params,
                                 const int8_t *input, const int32_t *weights, int8_t *output,
                                 uint8_t *scratch)
{
    ts_depthwise_rows_worker *worker = !params->is_saturating ? ts_depthwise_rows_limited
                                       : params->has_sign     ? ts_depthwise_rows_signed
                                                              : ts_depthwise_rows_plain;
    ts_depthwise_rows(params, input, weights, output, scratch, worker,
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
