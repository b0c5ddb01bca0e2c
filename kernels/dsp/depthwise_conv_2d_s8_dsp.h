/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 with filters of 3 x 3 and stride 1 or 2, for cores with DSP.
 *
 * Four channels at a time: rows of the input become planes (depthwise_dsp.h), then each channel is
 * computed by itself, two rows of two outputs a turn, its weights in registers all along.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S8_DSP_H
#define TS_DEPTHWISE_CONV_2D_S8_DSP_H

#include <stdbool.h>
#include <stdint.h>
#include "depthwise_dsp.h"

/** Parameters of ts_depthwise_conv_2d_s8_dsp(). */
typedef struct {
    int32_t batches;          /**< N, > 0 */
    int32_t input_h;          /**< H of the input, > 0 */
    int32_t input_w;          /**< W of the input, > 0 */
    int32_t input_c;          /**< C, > 0 */
    int32_t output_h;         /**< H of the output */
    int32_t output_w;         /**< W of the output, > 1 */
    int32_t stride;           /**< along H and W, 1 or 2 */
    int32_t pad_top;          /**< rows of padding above the input, >= 0 */
    int32_t pad_left;         /**< columns of padding left of the input, >= 0 */
    int32_t zero_point;       /**< of the input, [-128, 127] */
    int32_t output_offset;    /**< zero_point of the output; else 255 - activation_max more */
    int32_t has_sign;         /**< 1: negative sums must be rounded away from zero; else 0 */
    int32_t is_saturating;    /**< 1: the activation's range is [-128, 127]; else 0 */
    int32_t activation_min;   /**< [-128, 127] */
    int32_t activation_max;   /**< [activation_min, 127] */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_s8_dsp_params;

/** Planes that are kept: a band of three pairs of rows at stride 1, of one pair at stride 2. */
enum { TS_DEPTHWISE_DEPTH_1 = 4, TS_DEPTHWISE_DEPTH_2 = 3 };

/** What a worker computes: a band of some channels. Its frame holds a copy; mind the offsets. */
typedef struct {
    int32_t offset;          /**< added to the quotients */
    int32_t pixel_bytes;     /**< from one pixel of the output to the next */
    int32_t row_bytes;       /**< from one row of the output to the next; 0: only one row */
    int32_t least;           /**< activation_min */
    int32_t slack;           /**< 255 less the width of the activation's range */
    int32_t block_bytes;     /**< what all blocks of two columns take of the planes, > 0 */
    int32_t is_odd;          /**< whether a column is left behind them */
    int32_t output_step;     /**< from the end of a pair of rows to the next pair's start */
    int32_t plane_step;      /**< from the end of the blocks to the next pair's first column */
    int32_t pairs_bytes;     /**< from the first pair's planes to the last one's */
    int32_t channels;        /**< > 0 */
    const int32_t *weights;  /**< six words a channel */
    const uint32_t *planes;  /**< the band's first column of the first channel */
    int8_t *output;          /**< the band's first pixel of the first channel */
    int32_t channel_bytes;   /**< from one channel to the next in the planes; 0: the same again */
} ts_depthwise_3x3_band;

/*
 * The workers' text. Registers: r0 planes, r1 output, r2 to r7 weights (r2 to r6 at stride 2), r10
 * to r12 and lr the sums of row 0 and row 1 of the left column, then of the right one. In the
 * frame: 0 bias, 4 multiplier, 8 power, 12 end of this pair's blocks, 16 end of the last pair's,
 * then the band.
 */

/* Copy the band to the frame. */
#define TS_DEPTHWISE_ENTER                                                                         \
    "add.w lr, r0, #32\n"                                                                          \
    "ldm.w lr, {r4-r10}\n"                                                                         \
    "push.w {r4-r10}\n"                                                                            \
    "ldm.w r0, {r1-r8}\n"                                                                          \
    "push.w {r1-r8}\n"                                                                             \
    "sub sp, sp, #20\n"

/* Begin a channel: its numbers to r2, r4 and r6 and to the frame. */
#define TS_DEPTHWISE_CHANNEL                                                                       \
    "10:\n"                                                                                        \
    "ldr.w r8, [sp, #64]\n"                                                                        \
    "ldr.w r0, [sp, #68]\n"                                                                        \
    "ldr.w r1, [sp, #72]\n"                                                                        \
    "ldr.w r9, [sp, #40]\n"                                                                        \
    "ldr.w r5, [sp, #56]\n"                                                                        \
    "ldr.w r7, [sp, #76]\n"                                                                        \
    "ldm.w r8!, {r2, r4, r6, r10, r11, r12}\n"                                                     \
    "str.w r8, [sp, #64]\n"                                                                        \
    "stm.w sp, {r10, r11, r12}\n"                                                                  \
    "add.w r9, r9, r0\n"                                                                           \
    "str.w r9, [sp, #12]\n"                                                                        \
    "add.w r9, r9, r5\n"                                                                           \
    "str.w r9, [sp, #16]\n"                                                                        \
    "add.w r7, r7, r0\n"                                                                           \
    "str.w r7, [sp, #68]\n"                                                                        \
    "add.w r7, r1, #1\n"                                                                           \
    "str.w r7, [sp, #72]\n"

/* Sums to outputs: what r8, r9 and `zero` are loaded with, then one step for every sum in EACH. */
#define TS_DEPTHWISE_SCALE(op) "smmlar " op ", " op ", r8, " op "\n"
#define TS_DEPTHWISE_SIGN(op) "add.w " op ", " op ", " op ", asr #31\n"
#define TS_DEPTHWISE_SHIFT(op) "smmlar " op ", " op ", r9, r8\n"
#define TS_DEPTHWISE_SATURATE(op) "ssat " op ", #8, " op "\n"
#define TS_DEPTHWISE_CUT(op) "usat " op ", #8, " op "\n"
#define TS_DEPTHWISE_LIFT(op) "uqsub8 " op ", " op ", r8\n"
#define TS_DEPTHWISE_LOWER(op) "add.w " op ", " op ", r9\n"
#define TS_DEPTHWISE_ONE(step) step("r10") step("r11")
#define TS_DEPTHWISE_TWO(step) step("r10") step("r11") step("r12") step("lr")

/* Signs and limits: none, the signs, or both. */
#define TS_DEPTHWISE_PLAIN(each)                                                                   \
    "ldr.w r8, [sp, #20]\n" each(TS_DEPTHWISE_SHIFT) each(TS_DEPTHWISE_SATURATE)
#define TS_DEPTHWISE_SIGNED(each) each(TS_DEPTHWISE_SIGN) TS_DEPTHWISE_PLAIN(each)
#define TS_DEPTHWISE_LIMITED(each)                                                                 \
    each(TS_DEPTHWISE_SIGN) "ldr.w r8, [sp, #20]\n" each(TS_DEPTHWISE_SHIFT)                       \
        each(TS_DEPTHWISE_CUT) "ldr.w r8, [sp, #36]\n"                                             \
                               "ldr.w r9, [sp, #32]\n" each(TS_DEPTHWISE_LIFT)                     \
                                   each(TS_DEPTHWISE_LOWER)
#define TS_DEPTHWISE_FINISH(each, kind)                                                            \
    "ldr.w r8, [sp, #4]\n"                                                                         \
    "ldr.w r9, [sp, #8]\n" each(TS_DEPTHWISE_SCALE) kind(each)                                     \
        "ldr.w r8, [sp, #24]\n"                                                                    \
        "ldr.w r9, [sp, #28]\n"

/* Store a block and go on to the next one, `bytes` further in the planes. */
#define TS_DEPTHWISE_STORE(bytes)                                                                  \
    "strb.w r11, [r1, r9]\n"                                                                       \
    "strb.w r10, [r1]\n"                                                                           \
    "add.w r1, r1, r8\n"                                                                           \
    "add.w r0, r0, #" bytes "\n"                                                                   \
    "ldr.w r10, [sp, #12]\n"                                                                       \
    "strb.w lr, [r1, r9]\n"                                                                        \
    "strb.w r12, [r1]\n"                                                                           \
    "add.w r1, r1, r8\n"                                                                           \
    "cmp.w r0, r10\n"                                                                              \
    "bne.w 20b\n"                                                                                  \
    "ldr.w r8, [sp, #44]\n"                                                                        \
    "cmp r8, #0\n"                                                                                 \
    "beq 40f\n"

/* Store the single column, then the next pair of rows or the next channel. */
#define TS_DEPTHWISE_LEAVE(bytes)                                                                  \
    "strb.w r11, [r1, r9]\n"                                                                       \
    "strb.w r10, [r1]\n"                                                                           \
    "add.w r1, r1, r8\n"                                                                           \
    "40: ldr.w r8, [sp, #12]\n"                                                                    \
    "ldr.w r9, [sp, #16]\n"                                                                        \
    "ldr.w r10, [sp, #48]\n"                                                                       \
    "ldr.w r11, [sp, #52]\n"                                                                       \
    "cmp.w r8, r9\n"                                                                               \
    "add.w r8, r8, #" bytes "\n"                                                                   \
    "str.w r8, [sp, #12]\n"                                                                        \
    "add.w r1, r1, r10\n"                                                                          \
    "add.w r0, r0, r11\n"                                                                          \
    "bne.w 20b\n"                                                                                  \
    "ldr.w r8, [sp, #60]\n"                                                                        \
    "subs.w r8, r8, #1\n"                                                                          \
    "str.w r8, [sp, #60]\n"                                                                        \
    "bne.w 10b\n"                                                                                  \
    "add sp, sp, #80\n"

/* Stride 1: r8 and r9 hold two planes of a column; rows 0 to 2 make one output, 1 to 3 another. */
#define TS_DEPTHWISE_LOAD_1(at, behind)                                                            \
    "ldr.w r8, [r0, #" at "]\n"                                                                    \
    "ldr.w r9, [r0, #" behind "]\n"
#define TS_DEPTHWISE_TAP_1(sum, next, onto, also, upper, lower)                                    \
    "smlad " sum ", r8, " upper ", " onto "\n"                                                     \
    "smlatb " next ", r8, " upper ", " also "\n"                                                   \
    "smlabt " sum ", r9, " lower ", " sum "\n"                                                     \
    "smlad " next ", r9, " lower ", " next "\n"
#define TS_DEPTHWISE_LEFT_1(upper, lower)                                                          \
    TS_DEPTHWISE_TAP_1("r10", "r11", "r10", "r11", upper, lower)
#define TS_DEPTHWISE_RIGHT_1(upper, lower)                                                         \
    TS_DEPTHWISE_TAP_1("r12", "lr", "r12", "lr", upper, lower)

#define TS_DEPTHWISE_TEXT_1(kind)                                                                  \
    TS_DEPTHWISE_ENTER TS_DEPTHWISE_CHANNEL                                                        \
        "sxtb16 r3, r2, ror #8\n"                                                                  \
        "sxtb16 r2, r2\n"                                                                          \
        "sxtb16 r5, r4, ror #8\n"                                                                  \
        "sxtb16 r4, r4\n"                                                                          \
        "sxtb16 r7, r6, ror #8\n"                                                                  \
        "sxtb16 r6, r6\n"                                                                          \
        ".balign 4\n"                                                                              \
        "20:\n"                                                                                    \
        "ldr.w r11, [r0]\n"                                                                        \
        "ldr.w r12, [r0, #16]\n"                                                                   \
        "ldr.w r9, [r0, #64]\n"                                                                    \
        "ldr.w r8, [r0, #80]\n"                                                                    \
        "ldr.w lr, [sp]\n"                                                                         \
        "smlad r10, r11, r2, lr\n"                                                                 \
        "smlatb r11, r11, r2, lr\n"                                                                \
        "smlabt r10, r12, r3, r10\n"                                                               \
        "smlad r11, r12, r3, r11\n"                                                                \
        "smlad r12, r9, r2, lr\n"                                                                  \
        "smlatb lr, r9, r2, lr\n"                                                                  \
        "smlad r10, r9, r4, r10\n"                                                                 \
        "smlatb r11, r9, r4, r11\n"                                                                \
        "smlabt r10, r8, r5, r10\n"                                                                \
        "smlad r11, r8, r5, r11\n"                                                                 \
        "smlabt r12, r8, r3, r12\n"                                                                \
        "smlad lr, r8, r3, lr\n"                                                                   \
        TS_DEPTHWISE_LOAD_1("128", "144") TS_DEPTHWISE_LEFT_1("r6", "r7")                          \
        TS_DEPTHWISE_RIGHT_1("r4", "r5")                                                           \
        TS_DEPTHWISE_LOAD_1("192", "208") TS_DEPTHWISE_RIGHT_1("r6", "r7")                         \
        TS_DEPTHWISE_FINISH(TS_DEPTHWISE_TWO, kind) TS_DEPTHWISE_STORE("128")                      \
        ".balign 4\n" TS_DEPTHWISE_LOAD_1("0", "16") "ldr.w lr, [sp]\n"                            \
        TS_DEPTHWISE_TAP_1("r10", "r11", "lr", "lr", "r2", "r3")                                   \
        TS_DEPTHWISE_LOAD_1("64", "80") TS_DEPTHWISE_LEFT_1("r4", "r5")                            \
        TS_DEPTHWISE_LOAD_1("128", "144") TS_DEPTHWISE_LEFT_1("r6", "r7")                          \
        TS_DEPTHWISE_FINISH(TS_DEPTHWISE_ONE, kind) TS_DEPTHWISE_LEAVE("16")

/* Stride 2: r7 to r9 hold three planes of a column; rows 0 to 2 and rows 2 to 4 make outputs. */
#define TS_DEPTHWISE_LOAD_2(at, behind, last)                                                      \
    "ldr.w r7, [r0, #" at "]\n"                                                                    \
    "ldr.w r8, [r0, #" behind "]\n"                                                                \
    "ldr.w r9, [r0, #" last "]\n"
#define TS_DEPTHWISE_TAP_2(sum, next, onto, also, upper, single, lower)                            \
    "smlad " sum ", r7, " upper ", " onto "\n"                                                     \
    "smlad " next ", r8, " upper ", " also "\n" single " " sum ", r8, " lower ", " sum "\n"        \
    single " " next ", r9, " lower ", " next "\n"
#define TS_DEPTHWISE_LEFT_2(upper, single, lower)                                                  \
    TS_DEPTHWISE_TAP_2("r10", "r11", "r10", "r11", upper, single, lower)
#define TS_DEPTHWISE_RIGHT_2(upper, single, lower)                                                 \
    TS_DEPTHWISE_TAP_2("r12", "lr", "r12", "lr", upper, single, lower)

#define TS_DEPTHWISE_TEXT_2(kind)                                                                  \
    TS_DEPTHWISE_ENTER TS_DEPTHWISE_CHANNEL                                                        \
        "sxtb16 r8, r2, ror #8\n"                                                                  \
        "sxtb16 r5, r4, ror #8\n"                                                                  \
        "sxtb16 r2, r2\n"                                                                          \
        "sxtb16 r3, r4\n"                                                                          \
        "pkhtb r5, r5, r8, asr #16\n"                                                              \
        "sxtb16 r4, r6\n"                                                                          \
        "sxtb16 r6, r6, ror #8\n"                                                                  \
        ".balign 4\n"                                                                              \
        "20:\n" TS_DEPTHWISE_LOAD_2("0", "16", "32") "ldr.w lr, [sp]\n"                            \
        TS_DEPTHWISE_TAP_2("r10", "r11", "lr", "lr", "r2", "smlabb", "r5")                         \
        TS_DEPTHWISE_LOAD_2("48", "64", "80") TS_DEPTHWISE_LEFT_2("r3", "smlabt", "r5")            \
        TS_DEPTHWISE_LOAD_2("96", "112", "128") TS_DEPTHWISE_LEFT_2("r4", "smlabt", "r6")          \
        TS_DEPTHWISE_TAP_2("r12", "lr", "lr", "lr", "r2", "smlabb", "r5")                          \
        TS_DEPTHWISE_LOAD_2("144", "160", "176") TS_DEPTHWISE_RIGHT_2("r3", "smlabt", "r5")        \
        TS_DEPTHWISE_LOAD_2("192", "208", "224") TS_DEPTHWISE_RIGHT_2("r4", "smlabt", "r6")        \
        TS_DEPTHWISE_FINISH(TS_DEPTHWISE_TWO, kind) TS_DEPTHWISE_STORE("192")                      \
        ".balign 4\n" TS_DEPTHWISE_LOAD_2("0", "16", "32") "ldr.w lr, [sp]\n"                      \
        TS_DEPTHWISE_TAP_2("r10", "r11", "lr", "lr", "r2", "smlabb", "r5")                         \
        TS_DEPTHWISE_LOAD_2("48", "64", "80") TS_DEPTHWISE_LEFT_2("r3", "smlabt", "r5")            \
        TS_DEPTHWISE_LOAD_2("96", "112", "128") TS_DEPTHWISE_LEFT_2("r4", "smlabt", "r6")          \
        TS_DEPTHWISE_FINISH(TS_DEPTHWISE_ONE, kind) TS_DEPTHWISE_LEAVE("32")

#define TS_DEPTHWISE_WORKER(name, text)                                                            \
    TS_DEPTHWISE_SHARED void name(const ts_depthwise_3x3_band *band)                               \
    {                                                                                              \
        register const ts_depthwise_3x3_band *at __asm__("r0") = band;                             \
        __asm__ volatile(text                                                                      \
                         : "+r"(at)                                                                \
                         :                                                                         \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11",     \
                           "r12", "lr", "cc", "memory");                                           \
    }

/** A worker computes a band, two columns of two rows in 68 cycles (stride 1) on the Cortex-M4. */
typedef void ts_depthwise_3x3_worker(const ts_depthwise_3x3_band *band);

TS_DEPTHWISE_WORKER(ts_depthwise_3x3_1, TS_DEPTHWISE_TEXT_1(TS_DEPTHWISE_PLAIN))
TS_DEPTHWISE_WORKER(ts_depthwise_3x3_1_signed, TS_DEPTHWISE_TEXT_1(TS_DEPTHWISE_SIGNED))
TS_DEPTHWISE_WORKER(ts_depthwise_3x3_1_limited, TS_DEPTHWISE_TEXT_1(TS_DEPTHWISE_LIMITED))
TS_DEPTHWISE_WORKER(ts_depthwise_3x3_2, TS_DEPTHWISE_TEXT_2(TS_DEPTHWISE_PLAIN))
TS_DEPTHWISE_WORKER(ts_depthwise_3x3_2_signed, TS_DEPTHWISE_TEXT_2(TS_DEPTHWISE_SIGNED))
TS_DEPTHWISE_WORKER(ts_depthwise_3x3_2_limited, TS_DEPTHWISE_TEXT_2(TS_DEPTHWISE_LIMITED))

/**
 * @brief Compute four channels of one image, band by band.
 * @param params sizes
 * @param[in,out] source where the planes come from
 * @param[in,out] band what does not change from band to band is set
 * @param skip channels of the four that are there already
 * @param[in] weights of the first of the others
 * @param[out] output first pixel, the first of the others
 * @param row_bytes from one row of the output to the next
 * @param worker of the stride
 * @param make planes
 */
static inline __attribute__((always_inline)) void
ts_depthwise_3x3_group(const ts_depthwise_conv_2d_s8_dsp_params *params,
                       ts_depthwise_source *source, ts_depthwise_3x3_band *band, int32_t skip,
                       const int32_t *weights, int8_t *output, int32_t row_bytes,
                       ts_depthwise_3x3_worker *worker, ts_depthwise_maker *make)
{
    const int32_t stride = params->stride;
    const int32_t most = stride == 1 ? 2 * (TS_DEPTHWISE_DEPTH_1 - 1) : 2;
    const bool is_one = params->depth_multiplier == 1;
    const uint32_t *planes = source->column + skip;
    int32_t more = 1;
    const int32_t end = params->input_c < 4 ? params->input_c : 4;
    band->channels = is_one ? end - skip : params->depth_multiplier;
    for (int32_t left = params->output_h; left > 0;) {
        int32_t rows = left > most ? most : left;
        band->row_bytes = row_bytes;
        if (rows == 1) {
            band->row_bytes = 0;
            rows = 2;
        }
        rows &= ~1;
        left -= rows;
        band->pairs_bytes = (rows / 2 - 1) * stride * TS_DEPTHWISE_COLUMN;
        make(source, more + rows / 2 * stride);
        more = 0;
        band->weights = weights;
        band->planes = planes;
        band->output = output;
        for (int32_t c = skip; c < end; c++) {
            worker(band);
            if (is_one) {
                break;
            }
            band->weights += 6 * params->depth_multiplier;
            band->planes++;
            band->output += params->depth_multiplier;
        }
        planes += rows / 2 * stride * (TS_DEPTHWISE_COLUMN / 4);
        output += rows * row_bytes;
    }
}

/**
 * @brief The kernel, shared by all layers.
 * @param worker the one of the stride and the activation
 * @param make the one of the channels
 */
TS_DEPTHWISE_SHARED void ts_depthwise_3x3(const ts_depthwise_conv_2d_s8_dsp_params *params,
                                          const int8_t *input, const int32_t *weights,
                                          int8_t *output, uint8_t *scratch,
                                          ts_depthwise_3x3_worker *worker,
                                          ts_depthwise_maker *make)
{
    const int32_t c = params->input_c;
    const int32_t stride = params->stride;
    const int32_t multiplier = params->depth_multiplier;
    const int32_t pixel_bytes = c * multiplier;
    const int32_t depth = stride == 1 ? TS_DEPTHWISE_DEPTH_1 : TS_DEPTHWISE_DEPTH_2;
    /* In place, rows of the output take the places of rows of the input, and close up later. */
    const bool is_in_place = (const int8_t *)output == input;
    const int32_t row_bytes = (is_in_place ? params->input_w : params->output_w) * pixel_bytes;
    const int32_t rows = is_in_place ? params->input_h : params->output_h;
    const int32_t columns = (params->output_w - 1) * stride + 3 - params->pad_left;
    const int32_t inner = columns < params->input_w ? columns : params->input_w;
    const uint32_t zero = (uint32_t)params->zero_point;
    uint32_t *const planes =
        (uint32_t *)(void *)(scratch + (c < 4 ? (params->input_w * c + 6) / 4 * 4 : 0));
    ts_depthwise_source source = {
        .input_h = params->input_h,
        .last = (int8_t *)scratch,
        .row_bytes = params->input_w * c,
        .pixel_bytes = c,
        .depth_bytes = depth * TS_DEPTHWISE_COLUMN,
        .pad_left = params->pad_left,
        .inner = inner,
        .pad_right = columns - inner,
        .zero_point = (zero & 0xFFU) * 0x01010101U,
        .zero_pair = (zero & 0xFFFFU) * 0x00010001U,
    };
    const int32_t block_bytes =
        (params->output_w & ~1) * stride * depth * TS_DEPTHWISE_COLUMN;
    ts_depthwise_3x3_band band = {
        .offset = params->output_offset,
        .pixel_bytes = pixel_bytes,
        .least = params->activation_min,
        .slack = 255 - params->activation_max + params->activation_min,
        .block_bytes = block_bytes,
        .is_odd = params->output_w & 1,
        .output_step = 2 * row_bytes - params->output_w * pixel_bytes,
        .plane_step = stride * TS_DEPTHWISE_COLUMN - block_bytes,
        .channel_bytes = multiplier == 1 ? 4 : 0,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t channel = 0; channel < c; channel += 4) {
            const int32_t first = ts_depthwise_first(channel, c);
            source.row = input + first - params->pad_top * source.row_bytes;
            source.y = -params->pad_top;
            source.column = planes;
            ts_depthwise_3x3_group(params, &source, &band, channel - first,
                                   weights + 6 * multiplier * channel,
                                   output + multiplier * channel, row_bytes, worker, make);
        }
        input += params->input_h * source.row_bytes;
        output += rows * row_bytes;
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[i,j,o] * input[n,y',x',c]))` for
 * c = o / depth_multiplier; what padding holds is folded into the bias.
 *
 * Here y' = y * stride - pad_top + i, and x' alike. The output may be where the input is if its
 * rows are no wider and no more and depth_multiplier is 1.
 *
 * @param params sizes and ranges, a literal at the call
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] weights int32 `[O, 6]`: three words of bytes w[0,j], w[1,j], w[1,j], w[2,j], then
 * bias, multiplier and power (ts_requantize_short())
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch if C < 4, a row of the input and 3 bytes, in whole words; planes: 16 bytes for
 * each column of padded input and plane that is kept, and 16 for each plane that is not
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s8_dsp(const ts_depthwise_conv_2d_s8_dsp_params *params, const int8_t *input,
                            const int32_t *weights, int8_t *output, uint8_t *scratch)
{
    ts_depthwise_3x3_worker *worker;
    if (!params->is_saturating) {
        worker = params->stride == 1 ? ts_depthwise_3x3_1_limited : ts_depthwise_3x3_2_limited;
    } else if (params->has_sign) {
        worker = params->stride == 1 ? ts_depthwise_3x3_1_signed : ts_depthwise_3x3_2_signed;
    } else {
        worker = params->stride == 1 ? ts_depthwise_3x3_1 : ts_depthwise_3x3_2;
    }
    ts_depthwise_3x3(params, input, weights, output, scratch, worker,
                     ts_depthwise_maker_of(params->input_c));
    if (params->output_h * params->output_w < params->input_h * params->input_w &&
        (const int8_t *)output == input) {
        const int32_t row_bytes = params->output_w * params->input_c;
        const int32_t behind = params->input_w * params->input_c;
        ts_depthwise_close_up(output, params->batches, params->output_h, row_bytes,
                              behind - row_bytes, (params->input_h - params->output_h) * behind);
    }
}

#endif
