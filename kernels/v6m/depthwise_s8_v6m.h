/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 with any filter, for Armv6-M.
 *
 * A channel's pixels are spread out to words in scratch, the zero point where there is no input;
 * of pixels that outputs are several apart of, those of one remainder stand together. Then each
 * weight meets the words of four neighbouring outputs, which stand side by side, at a distance
 * that a table of the filter's positions holds. Sums become outputs along a line that
 * compiler/variants/_line_v6m.py has found to be exact; or, where sums of large filters reach too
 * far for that, as in requantize_v6m.h.
 *
 * Lines are rows of the image, or columns. All of a channel's input is spread before its output is
 * written, which may lie in its place; or the image is computed in bands of lines.
 */
#ifndef TS_DEPTHWISE_S8_V6M_H
#define TS_DEPTHWISE_S8_V6M_H

#include <stdint.h>

#include "requantize_v6m.h"

/** Parameters of ts_depthwise_s8_v6m(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_c;        /**< C, > 0 */
    int32_t multiplier;     /**< output channels of an input channel, > 0 */
    int32_t input_batch;    /**< bytes of an image of the input */
    int32_t output_batch;   /**< bytes of an image of the output */
    int32_t input_lines;    /**< lines of the input, > 0 */
    int32_t input_line;     /**< bytes from one line of the input to the next, > 0 */
    int32_t input_pixel;    /**< bytes from one pixel of such a line to the next, > 0 */
    int32_t input_pixels;   /**< pixels of a line that are read, >= 0 */
    int32_t output_lines;   /**< lines of the output, > 0 */
    int32_t output_line;    /**< bytes from one line of the output to the next, > 0 */
    int32_t output_pixel;   /**< bytes from one pixel of such a line to the next, > 0 */
    int32_t output_pixels;  /**< pixels of a line of the output, > 0 */
    int32_t stride;         /**< lines from one output to the next, > 0 */
    int32_t stride_pixels;  /**< pixels from one output to the next, > 0 */
    int32_t pad_lines;      /**< lines of padding before the first, >= 0 */
    int32_t pad_pixels;     /**< pixels of padding before the first, >= 0 */
    int32_t extent;         /**< lines that a window extends over, > 0 */
    int32_t band;           /**< lines of the output that are computed at a time, > 0 */
    int32_t run_words;      /**< words of a line in scratch with one remainder */
    int32_t taps;           /**< positions of the filter, > 0 */
    int32_t row_bytes;      /**< bytes of a channel's constants */
    int32_t is_wide;        /**< 1: sums are requantized as in requantize_v6m.h; else 0 */
    int32_t padding;        /**< zero point of the input, [-128, 127] */
    int32_t output_offset;  /**< zero point of the output, [-128, 127] */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_depthwise_s8_v6m_params;

/** What ts_depthwise_s8_v6m_channel() needs of a layer, in the order that its assembly wants. */
typedef struct {
    const int32_t *words; /**< 0: where the first window begins */
    int32_t line;         /**< 4: bytes from there to the next line of outputs */
    int32_t lines;        /**< 8: lines of outputs, > 0 */
    int32_t outputs;      /**< 12: outputs of a line */
    int32_t output_line;  /**< 16: see the parameters */
    int32_t output_pixel; /**< 20 */
    int32_t *table;       /**< 24: bytes from a window's begin to a position; room for a weight */
    int32_t *table_end;   /**< 28 */
    int32_t most;         /**< 32: activation_max - activation_min */
    int32_t least;        /**< 36: activation_min */
    int32_t middle;       /**< 40: twice the zero point above `least`, and 1 */
} ts_depthwise_s8_v6m_plane;

/**
 * @brief Spread bytes to words.
 * @param[out] words `[count]`
 * @param[in] input the first byte
 * @param step bytes from one to the next
 * @param count > 0
 */
static __attribute__((noinline)) void ts_depthwise_s8_v6m_spread(int32_t *words,
                                                                 const int8_t *input, int32_t step,
                                                                 int32_t count)
{
    const int32_t both = 2 * step;
    __asm__ volatile(".syntax unified\n"
                     "movs r4, #0\n"
                     "lsrs %[count], %[count], #1\n"
                     "bcc 1f\n"
                     "ldrsb r5, [%[input], r4]\n"
                     "adds %[input], %[step]\n"
                     "stm %[words]!, {r5}\n"
                     "1: cmp %[count], #0\n"
                     "beq 3f\n"
                     "2: ldrsb r5, [%[input], r4]\n"
                     "ldrsb r6, [%[input], %[step]]\n"
                     "adds %[input], %[both]\n"
                     "stm %[words]!, {r5, r6}\n"
                     "subs %[count], #1\n"
                     "bne 2b\n"
                     "3:\n"
                     : [words] "+l"(words), [input] "+l"(input), [count] "+l"(count)
                     : [step] "l"(step), [both] "l"(both)
                     : "r4", "r5", "r6", "memory", "cc");
}

/* The constants of a channel whose sums become outputs along a line. */
#define TS_TAPS_LINE                                                                               \
    "ldr r3, [r2, #0]\n str r3, [sp, #48]\n"                                                       \
    "ldrh r3, [r2, #4]\n str r3, [sp, #0]\n"                                                       \
    "ldrh r3, [r2, #6]\n str r3, [sp, #4]\n"                                                       \
    "ldrb r3, [r2, #9]\n str r3, [sp, #12]\n"                                                      \
    "ldrb r3, [r2, #8]\n str r3, [sp, #8]\n"                                                       \
    "subs r3, #1\n ldr r4, [r0, #40]\n lsls r4, r3\n rsbs r4, r4, #0\n mov lr, r4\n"

/* What a sum in r3 becomes, stored at r0. r1 fraction, r2 whole, r5 shift, r6 drop, r7 step; r8
 * start, lr less the middle. */
#define TS_TAPS_LINE_OUTPUT                                                                        \
    "movs r4, r1\n muls r4, r3\n asrs r4, r4, #14\n muls r3, r2\n adds r3, r4\n add r3, r8\n"      \
    "mov r4, lr\n adds r4, r3\n asrs r4, r4, #31\n lsls r4, r6\n adds r3, r4\n"                    \
    "asrs r3, r5\n" TS_TAPS_STORE

/* Those of a channel with wide sums; and what becomes of these: r2 high, r5 offset, r7 step; r8
 * bias; the low word is read again each time. */
#define TS_TAPS_WIDE                                                                               \
    "ldr r3, [r2, #0]\n str r3, [sp, #48]\n"                                                       \
    "ldr r3, [r2, #4]\n str r3, [sp, #0]\n"                                                        \
    "ldr r3, [r2, #8]\n str r3, [sp, #4]\n"                                                        \
    "ldr r3, [r0, #40]\n asrs r3, r3, #1\n str r3, [sp, #8]\n"
#define TS_TAPS_WIDE_OUTPUT                                                                        \
    "add r3, r8\n ldr r1, [sp, #0]\n"                                                              \
    TS_V6M_SCALE("r3", "r1", "r2", "r4") TS_V6M_ROUND("r3", "r1", "r2", "r4", "r5")                \
    "movs r3, r4\n" TS_TAPS_STORE

/* Limits of the activation. */
#define TS_TAPS_STORE                                                                              \
    "asrs r4, r3, #31\n bics r3, r4\n"                                                             \
    "ldr r4, [sp, #16]\n cmp r3, r4\n bls 1f\n movs r3, r4\n"                                      \
    "1: ldr r4, [sp, #20]\n adds r3, r4\n strb r3, [r0]\n adds r0, r7\n"

/*
 * The stack: 0 fraction, 4 whole, 8 shift, 12 drop (or 0 low, 4 high, 8 offset), 16 most, 20 least,
 * 24 end of the output's line, 28 lines left, 32 the plane, 36 next line of words, 40 next line of
 * the output, 44 words of the next four outputs, 48 start or bias, 52 the output, 56 the table, 60
 * step of the output.
 */
#define TS_TAPS_CHANNEL(read, first, output)                                                       \
    ".syntax unified\n"                                                                            \
    "sub sp, #64\n"                                                                                \
    "str r0, [sp, #32]\n str r1, [sp, #40]\n" read                                                 \
    "ldr r3, [r0, #32]\n str r3, [sp, #16]\n"                                                      \
    "ldr r3, [r0, #36]\n str r3, [sp, #20]\n"                                                      \
    "ldr r3, [r0, #8]\n str r3, [sp, #28]\n"                                                       \
    "ldr r3, [r0, #0]\n str r3, [sp, #36]\n"                                                       \
    "ldr r3, [r0, #20]\n str r3, [sp, #60]\n"                                                      \
    "ldr r5, [r0, #28]\n mov r12, r5\n"                                                            \
    "ldr r3, [r0, #24]\n str r3, [sp, #56]\n"                                                      \
    "movs r4, #" first "\n"                                                                        \
    "2: ldrsb r6, [r2, r4]\n str r6, [r3, #4]\n adds r3, #8\n adds r4, #1\n"                       \
    "cmp r3, r5\n blo 2b\n"                                                                        \
    /* A line of outputs. */                                                                       \
    "3: ldr r0, [sp, #32]\n"                                                                       \
    "ldr r7, [sp, #36]\n ldr r1, [r0, #4]\n adds r1, r7\n str r1, [sp, #36]\n"                     \
    "ldr r1, [sp, #40]\n str r1, [sp, #52]\n"                                                      \
    "ldr r2, [r0, #16]\n adds r2, r1\n str r2, [sp, #40]\n"                                        \
    "ldr r2, [r0, #12]\n ldr r3, [r0, #20]\n muls r2, r3\n adds r2, r1\n str r2, [sp, #24]\n"      \
    /* Four outputs. */                                                                            \
    "4: movs r0, #0\n mov r8, r0\n mov r9, r0\n mov r10, r0\n mov r11, r0\n"                       \
    "ldr r0, [sp, #56]\n"                                                                          \
    ".balign 4\n"                                                                                  \
    "5: ldm r0!, {r1, r2}\n adds r1, r7\n"                                                         \
    "ldm r1!, {r3, r4, r5, r6}\n"                                                                  \
    "muls r3, r2\n add r8, r3\n muls r4, r2\n add r9, r4\n"                                        \
    "muls r5, r2\n add r10, r5\n muls r6, r2\n add r11, r6\n"                                      \
    "cmp r0, r12\n bne 5b\n"                                                                       \
    "adds r7, #16\n str r7, [sp, #44]\n"                                                           \
    "mov r1, sp\n ldm r1, {r1, r2, r5, r6}\n"                                                      \
    "ldr r0, [sp, #52]\n ldr r7, [sp, #60]\n"                                                      \
    "mov r3, r8\n ldr r4, [sp, #48]\n mov r8, r4\n" output                                         \
    "mov r3, r9\n ldr r4, [sp, #24]\n mov r9, r4\n"                                                \
    "cmp r0, r9\n beq 6f\n" output                                                                 \
    "cmp r0, r9\n beq 6f\n mov r3, r10\n" output                                                   \
    "cmp r0, r9\n beq 6f\n mov r3, r11\n" output                                                   \
    "cmp r0, r9\n beq 6f\n"                                                                        \
    "str r0, [sp, #52]\n ldr r7, [sp, #44]\n b 4b\n"                                               \
    "6: ldr r3, [sp, #28]\n subs r3, #1\n str r3, [sp, #28]\n beq 7f\n"                            \
    "b 3b\n"                                                                                       \
    "7: add sp, #64\n"

#define TS_TAPS_BODY(text)                                                                         \
    register const ts_depthwise_s8_v6m_plane *r0 __asm__("r0") = plane;                            \
    register int8_t *r1 __asm__("r1") = output;                                                    \
    register const int8_t *r2 __asm__("r2") = channel;                                             \
    __asm__ volatile(text                                                                          \
                     : "+r"(r0), "+r"(r1), "+r"(r2)                                                \
                     :                                                                             \
                     : "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr",        \
                       "memory", "cc")

/**
 * @brief The outputs of one channel in one band, from words.
 * @param[in,out] plane the layer; weights are written to its table
 * @param[out] output the channel's first output of the band
 * @param[in] channel start (4 bytes), fraction, whole (2 each), shift, drop (1 each), the weights
 */
static __attribute__((noinline)) void
ts_depthwise_s8_v6m_channel(const ts_depthwise_s8_v6m_plane *plane, int8_t *output,
                            const int8_t *channel)
{
    TS_TAPS_BODY(TS_TAPS_CHANNEL(TS_TAPS_LINE, "10", TS_TAPS_LINE_OUTPUT));
}

/** ts_depthwise_s8_v6m_channel(); before the weights stand bias, low and high word, 4 bytes each */
static __attribute__((noinline)) void
ts_depthwise_s8_v6m_wide(const ts_depthwise_s8_v6m_plane *plane, int8_t *output,
                         const int8_t *channel)
{
    TS_TAPS_BODY(TS_TAPS_CHANNEL(TS_TAPS_WIDE, "12", TS_TAPS_WIDE_OUTPUT));
}

/** Lay `count` words of padding. */
static inline void ts_depthwise_s8_v6m_pad(int32_t *words, int32_t padding, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        words[i] = padding;
    }
}

/**
 * @brief Spread the lines of one channel that a band of outputs needs.
 * @param params sizes
 * @param[in] image the channel's first pixel
 * @param first line of the input that the first window begins in; below 0 in the padding
 * @param lines how many
 * @param[out] words lines of `stride_pixels * run_words`, with padding beside the image
 */
static inline __attribute__((always_inline)) void
ts_depthwise_s8_v6m_read(const ts_depthwise_s8_v6m_params *params, const int8_t *image,
                         int32_t first, int32_t lines, int32_t *words)
{
    const int32_t step = params->stride_pixels;
    for (int32_t i = 0; i < lines; i++) {
        const int32_t y = first + i;
        if (y >= 0 && y < params->input_lines) {
            for (int32_t x = 0; x < step && x < params->input_pixels; x++) {
                const int32_t at = x + params->pad_pixels;
                ts_depthwise_s8_v6m_spread(
                    words + at % step * params->run_words + at / step,
                    image + y * params->input_line + x * params->input_pixel,
                    step * params->input_pixel, (params->input_pixels - x + step - 1) / step);
            }
        } else if (params->band < params->output_lines) {
            ts_depthwise_s8_v6m_pad(words, params->padding, step * params->run_words);
        }
        words += step * params->run_words;
    }
}

/**
 * @brief What ts_depthwise_conv_2d_s8() computes.
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] channels `[O, row_bytes]`: see ts_depthwise_s8_v6m_channel()
 * @param[in] offsets `[taps]`: words from a window's first position to each
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch words of the lines that a band needs, three more, two for each position
 */
static inline __attribute__((always_inline)) void
ts_depthwise_s8_v6m(const ts_depthwise_s8_v6m_params *params, const int8_t *input,
                    const int32_t *channels, const uint16_t *offsets, int8_t *output,
                    uint8_t *scratch)
{
    const int32_t line_words = params->stride_pixels * params->run_words;
    const int32_t count = ((params->band - 1) * params->stride + params->extent) * line_words + 3;
    int32_t *const table = (int32_t *)(void *)scratch;
    int32_t *const words = table + 2 * params->taps;
    for (int32_t i = 0; i < params->taps; i++) {
        table[2 * i] = 4 * offsets[i];
    }
    ts_depthwise_s8_v6m_pad(words, params->padding, count);
    ts_depthwise_s8_v6m_plane plane = {
        .words = words,
        .line = 4 * params->stride * line_words,
        .outputs = params->output_pixels,
        .output_line = params->output_line,
        .output_pixel = params->output_pixel,
        .table = table,
        .table_end = words,
        .most = params->activation_max - params->activation_min,
        .least = params->activation_min,
        .middle = 2 * (params->output_offset - params->activation_min) + 1,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t line = 0; line < params->output_lines; line += params->band) {
            const int32_t left = params->output_lines - line;
            plane.lines = left < params->band ? left : params->band;
            const int8_t *image = input + n * params->input_batch;
            int8_t *made = output + n * params->output_batch + line * params->output_line;
            const int8_t *channel = (const int8_t *)channels;
            for (int32_t c = 0; c < params->input_c; c++) {
                ts_depthwise_s8_v6m_read(
                    params, image + c, line * params->stride - params->pad_lines,
                    (plane.lines - 1) * params->stride + params->extent, words);
                for (int32_t k = 0; k < params->multiplier; k++) {
                    if (params->is_wide) {
                        ts_depthwise_s8_v6m_wide(&plane, made, channel);
                    } else {
                        ts_depthwise_s8_v6m_channel(&plane, made, channel);
                    }
                    made++;
                    channel += params->row_bytes;
                }
            }
        }
    }
}

#endif
