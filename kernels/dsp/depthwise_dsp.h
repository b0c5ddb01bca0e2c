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

/** Where planes come from and go to, for the four channels that are being computed. */
typedef struct {
    const int8_t *image;   /**< the first of the four channels in the first pixel */
    uint32_t *planes;      /**< column 0 of plane 0 */
    int32_t depth_bytes;   /**< from one column to the next */
    int32_t input_h;       /**< rows of the image */
    int32_t row_bytes;     /**< from one row of the image to the next */
    int32_t pixel_bytes;   /**< from one pixel to the next, >= 4 */
    int32_t pad_top;       /**< rows of padding above the image */
    int32_t pad_left;      /**< columns of padding left of the image */
    int32_t inner;         /**< columns taken from the image, > 0 */
    int32_t pad_right;     /**< columns of padding right of the image */
    uint32_t zero_point;   /**< four times the byte that padding holds */
    uint32_t zero_pair;    /**< twice the halfword that padding holds */
} ts_depthwise_source;

/** Fill `count` columns with padding; returns the column behind them. */
static inline __attribute__((always_inline)) uint32_t *
ts_depthwise_fill(const ts_depthwise_source *source, uint32_t *column, int32_t count)
{
    for (; count > 0; count--) {
        column[0] = source->zero_pair;
        column[1] = source->zero_pair;
        column[2] = source->zero_pair;
        column[3] = source->zero_pair;
        column += source->depth_bytes / 4;
    }
    return column;
}

/**
 * @brief Make a plane of two rows of the image; a row outside of it is padding.
 *
 * 19 cycles a column on the Cortex-M4, for eight numbers.
 *
 * @param[in] source the image
 * @param plane its number: the rows are `2 * plane - pad_top` and the next one
 */
TS_DEPTHWISE_SHARED void ts_depthwise_plane(const ts_depthwise_source *source, int32_t plane)
{
    const int32_t y = 2 * plane - source->pad_top;
    const int8_t *first = source->image + y * source->row_bytes;
    const int8_t *second = first + source->row_bytes;
    int32_t first_step = source->pixel_bytes;
    int32_t second_step = first_step;
    if ((uint32_t)y >= (uint32_t)source->input_h) {
        first = (const int8_t *)&source->zero_point;
        first_step = 0;
    }
    if ((uint32_t)(y + 1) >= (uint32_t)source->input_h) {
        second = (const int8_t *)&source->zero_point;
        second_step = 0;
    }
    uint32_t *column = source->planes + plane * (TS_DEPTHWISE_COLUMN / 4);
    column = ts_depthwise_fill(source, column, source->pad_left);
    int32_t count = source->inner;
    uint32_t one, other;
    __asm__ volatile(".balign 4\n"
                     "1: ldr.w %[one], [%[first]]\n"
                     "ldr.w %[other], [%[second]]\n"
                     "add.w %[first], %[first], %[first_step]\n"
                     "add.w %[second], %[second], %[second_step]\n"
                     "pkhbt r5, %[one], %[other], lsl #16\n"
                     "pkhtb r7, %[other], %[one], asr #16\n"
                     "sxtb16 r4, r5\n"
                     "sxtb16 r5, r5, ror #8\n"
                     "sxtb16 r6, r7\n"
                     "sxtb16 r7, r7, ror #8\n"
                     "stm.w %[column], {r4, r5, r6, r7}\n"
                     "subs.w %[count], %[count], #1\n"
                     "add.w %[column], %[column], %[step]\n"
                     "bne 1b\n"
                     : [one] "=&r"(one), [other] "=&r"(other), [first] "+r"(first),
                       [second] "+r"(second), [column] "+r"(column), [count] "+r"(count)
                     : [first_step] "r"(first_step), [second_step] "r"(second_step),
                       [step] "r"(source->depth_bytes)
                     : "r4", "r5", "r6", "r7", "cc", "memory");
    ts_depthwise_fill(source, column, source->pad_right);
}

#endif
