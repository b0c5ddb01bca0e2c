/**
 * @file
 * @brief What the tuned depthwise kernels share: rows of the input as pairs of 16-bit numbers.
 *
 * The kernels take four channels at a time, a word of every pixel. Two rows of the input become a
 * *plane*: for each column four words, one a channel, each the pair of the two rows' numbers, the
 * upper row in the low half. So one SMLAD multiplies two rows of a filter's column. Padding holds
 * the input's zero point, and the bias makes up for it: inner loops know no borders.
 *
 * `depth` planes are kept, column by column: plane p of column x lies at `x * depth + p` (times
 * 16 bytes). There is no wrapping: plane `p + depth` of a column takes the place of plane p of the
 * next one, which is not needed any more; the planes creep through the scratch buffer.
 */
#ifndef TS_DEPTHWISE_DSP_H
#define TS_DEPTHWISE_DSP_H

#include <stdint.h>
#include <string.h>

#include "dsp.h"

/** A function that all layers share: one copy, not one a layer. */
#define TS_DEPTHWISE_SHARED static __attribute__((noinline, noclone, unused))

/** Bytes of a plane's column: four channels. */
#define TS_DEPTHWISE_COLUMN 16

/** Where planes come from and go to; ts_depthwise_planes() knows the order of the fields. */
typedef struct {
    const int8_t *row;     /**< next: the first of the four channels in the row's first pixel */
    uint32_t *column;      /**< next: column 0 of the plane */
    int32_t y;             /**< next: the row's number */
    int32_t input_h;       /**< rows of the image */
    int32_t row_bytes;     /**< from one row of the image to the next */
    int32_t pixel_bytes;   /**< from one pixel to the next */
    int32_t depth_bytes;   /**< from one column of a plane to the next */
    int32_t pad_left;      /**< columns of padding left of the image */
    int32_t inner;         /**< columns taken from the image, > 0 */
    int32_t pad_right;     /**< columns of padding right of the image */
    uint32_t zero_pair;    /**< twice the halfword that padding holds */
    uint32_t zero_point;   /**< four times the byte that padding holds */
    int8_t *last;          /**< ts_depthwise_few_planes(): room for the last row and 3 bytes */
} ts_depthwise_source;

/* Words of pixels in registers `one` and `other` to a column; r11 and lr are overwritten. */
#define TS_DEPTHWISE_TRANSPOSE(one, other)                                                         \
    "pkhbt r11, " one ", " other ", lsl #16\n"                                                     \
    "pkhtb lr, " other ", " one ", asr #16\n"                                                      \
    "sxtb16 " one ", r11\n"                                                                        \
    "sxtb16 " other ", r11, ror #8\n"                                                              \
    "sxtb16 r11, lr\n"                                                                             \
    "sxtb16 lr, lr, ror #8\n"                                                                      \
    "str.w " one ", [r3]\n"                                                                        \
    "str.w " other ", [r3, #4]\n"                                                                  \
    "str.w r11, [r3, #8]\n"                                                                        \
    "str.w lr, [r3, #12]\n"                                                                        \
    "add.w r3, r3, r8\n"

/* As many columns of padding as r11 says, plus the label's number as the loop's. */
#define TS_DEPTHWISE_PAD(label, behind)                                                            \
    "subs.w r11, r11, #1\n"                                                                        \
    "bmi " behind "f\n" label ":\n"                                                                \
    "str.w lr, [r3]\n"                                                                             \
    "str.w lr, [r3, #4]\n"                                                                         \
    "str.w lr, [r3, #8]\n"                                                                         \
    "str.w lr, [r3, #12]\n"                                                                        \
    "add.w r3, r3, r8\n"                                                                           \
    "subs.w r11, r11, #1\n"                                                                        \
    "bpl " label "b\n" behind ":\n"

/**
 * @brief Make planes of the next rows, two of them each; a row outside of the image is padding.
 *
 * 16 cycles a column on the Cortex-M4, for eight numbers, and 60 a plane.
 *
 * Registers: r2 and r9 pixels of the two rows, r7 and r10 from one to the next, r3 column, r8 to
 * the next one, r12 pairs of columns.
 *
 * @param[in,out] source goes on to the rows behind
 * @param count of planes, > 0
 */
TS_DEPTHWISE_SHARED void ts_depthwise_planes(ts_depthwise_source *source, int32_t count)
{
    register ts_depthwise_source *at __asm__("r0") = source;
    register int32_t left __asm__("r1") = count;
    __asm__ volatile(
        "10: push {r1}\n"
        "ldm.w r0, {r2-r8}\n"
        "add.w r9, r2, r6\n"
        "add.w r10, r9, r6\n"
        "add.w r11, r3, #16\n"
        "add.w r12, r4, #2\n"
        "stm.w r0, {r10, r11, r12}\n"
        "mov r10, r7\n"
        "cmp r4, r5\n"
        "itt hs\n"
        "addhs r2, r0, #44\n"
        "movhs r7, #0\n"
        "adds r4, #1\n"
        "cmp r4, r5\n"
        "itt hs\n"
        "addhs r9, r0, #44\n"
        "movhs r10, #0\n"
        "ldr.w r11, [r0, #28]\n"
        "ldr.w lr, [r0, #40]\n"
        "ldr.w r12, [r0, #32]\n" TS_DEPTHWISE_PAD("20", "30")
        "lsrs.w r12, r12, #1\n"
        "bcc 40f\n"
        "ldr.w r1, [r2]\n"
        "ldr.w r4, [r9]\n"
        "add.w r2, r2, r7\n"
        "add.w r9, r9, r10\n" TS_DEPTHWISE_TRANSPOSE("r1", "r4")
        "cmp r12, #0\n"
        "beq 50f\n"
        ".balign 4\n"
        "40: ldr.w r1, [r2]\n"
        "ldr.w r4, [r9]\n"
        "ldr.w r5, [r2, r7]\n"
        "ldr.w r6, [r9, r10]\n"
        "add.w r2, r2, r7, lsl #1\n"
        "add.w r9, r9, r10, lsl #1\n" TS_DEPTHWISE_TRANSPOSE("r1", "r4")
        TS_DEPTHWISE_TRANSPOSE("r5", "r6")
        "subs.w r12, r12, #1\n"
        "bne 40b\n"
        "50: ldr.w r11, [r0, #36]\n"
        "ldr.w lr, [r0, #40]\n" TS_DEPTHWISE_PAD("60", "70")
        "pop {r1}\n"
        "subs r1, #1\n"
        "bne 10b\n"
        : "+r"(at), "+r"(left)
        :
        : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}

/**
 * @brief ts_depthwise_planes() for less than four channels: words reach beyond their pixels.
 *
 * Behind the last pixel there may be no memory: the last row is copied first.
 */
TS_DEPTHWISE_SHARED void ts_depthwise_few_planes(ts_depthwise_source *source, int32_t count)
{
    const int32_t row_bytes = source->row_bytes;
    for (; count > 0; count--) {
        const int8_t *row = source->row;
        const int32_t left = source->input_h - source->y;
        if (left == 1 || left == 2) {
            memcpy(source->last, row + (left - 1) * row_bytes, (size_t)row_bytes);
            if (left == 1) {
                source->row = source->last;
            } else {
                source->row_bytes = (int32_t)(source->last - row);
            }
        }
        ts_depthwise_planes(source, 1);
        source->row = row + 2 * row_bytes;
        source->row_bytes = row_bytes;
    }
}

/** ts_depthwise_planes() or ts_depthwise_few_planes(). */
typedef void ts_depthwise_maker(ts_depthwise_source *source, int32_t count);

/** The one of them for `channels`. */
static inline __attribute__((always_inline)) ts_depthwise_maker *
ts_depthwise_maker_of(int32_t channels)
{
    return channels < 4 ? ts_depthwise_few_planes : ts_depthwise_planes;
}

/** First of the four channels that are made for those from `channel` on. */
static inline __attribute__((always_inline)) int32_t ts_depthwise_first(int32_t channel,
                                                                        int32_t channels)
{
    return channels >= 4 && channel > channels - 4 ? channels - 4 : channel;
}

/**
 * @brief Bring rows of the output together that lie where rows of the input were.
 * @param[in,out] output where the first row stays
 * @param images batches
 * @param rows of an image
 * @param row_bytes of a row
 * @param gap bytes from the end of a row to the next one
 * @param image_gap bytes more behind an image's last row
 */
TS_DEPTHWISE_SHARED void ts_depthwise_close_up(int8_t *output, int32_t images, int32_t rows,
                                               int32_t row_bytes, int32_t gap, int32_t image_gap)
{
    const int8_t *from = output;
    for (int32_t n = 0; n < images; n++) {
        for (int32_t y = 0; y < rows; y++) {
            const int8_t *end = output + row_bytes;
            /* Nothing is written that has not been read. */
            while (end - output >= 16) {
                __asm__ volatile("ldr r4, [%0], #16\n"
                                 "ldr r5, [%0, #-12]\n"
                                 "ldr r6, [%0, #-8]\n"
                                 "ldr r7, [%0, #-4]\n"
                                 "str r4, [%1], #16\n"
                                 "str r5, [%1, #-12]\n"
                                 "str r6, [%1, #-8]\n"
                                 "str r7, [%1, #-4]\n"
                                 : "+r"(from), "+r"(output)
                                 :
                                 : "r4", "r5", "r6", "r7", "memory");
            }
            while (output < end) {
                *output++ = *from++;
            }
            from += gap;
        }
        from += image_gap;
    }
}

#endif
