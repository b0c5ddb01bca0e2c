/**
 * @file
 * @brief CONV_2D on int8 with the DSP instructions: two pixels and four channels at a time.
 *
 * What two windows see is gathered in scratch and widened to 16 bits; a worker that all layers share
 * multiplies it by the weights (matrix_s8_dsp.h). Zero points stand in the biases: what lies outside
 * of the image reads as the input's zero point.
 */
#ifndef TS_CONV_2D_S8_DSP_H
#define TS_CONV_2D_S8_DSP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dsp.h"
#include "matrix_s8_dsp.h"
#include "quant.h"

/** How ts_conv_2d_s8_dsp() gets from sums to outputs: which worker runs. */
enum {
    TS_MATRIX_WHOLE = 0, /**< multiples of 16 elements and 4 channels */
    TS_MATRIX_ANY = 1,   /**< any elements and 4 channels or more */
    TS_MATRIX_CLAMP = 2, /**< the same with limits of the activation's own */
    TS_MATRIX_SUMS = 3,  /**< any; requantized by ts_requantize_as() */
    TS_MATRIX_WIDE = 4   /**< the same with weights in 16 bits */
};

/** Parameters of ts_conv_2d_s8_dsp(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t input_c;        /**< C, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t output_c;       /**< O, > 0 */
    int32_t filter_h;       /**< H of the filter, > 0 */
    int32_t filter_w;       /**< W of the filter, > 0 */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t dilation_h;     /**< > 0 */
    int32_t dilation_w;     /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, >= 0 */
    int32_t pad_left;       /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;    /**< 1: from the last pixel to the first; else 0 */
    int32_t worker;         /**< TS_MATRIX_WHOLE, ... */
    int32_t is_paired;      /**< 1: for a core that starts two instructions in a cycle; else 0 */
    int32_t is_relu;        /**< 1: nothing below output_offset comes out; else 0 */
    int32_t padding;        /**< zero point of the input, [-128, 127] */
    int32_t output_offset;  /**< zero point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    int32_t stream_words;   /**< words of the stream */
} ts_conv_2d_s8_dsp_params;

/** A pixel of the output, and where its window begins in the input, padding included. */
typedef struct {
    int32_t index; /**< row by row */
    int32_t x;     /**< column of the output */
    int32_t top;   /**< row of the input, from -pad_top on */
    int32_t left;  /**< column of the input, from -pad_left on */
} ts_conv_2d_s8_dsp_pixel;

/** The pixel that follows, in the direction in which the kernel runs. */
static inline __attribute__((always_inline)) ts_conv_2d_s8_dsp_pixel
ts_conv_2d_s8_dsp_next(const ts_conv_2d_s8_dsp_params *params, ts_conv_2d_s8_dsp_pixel pixel)
{
    const int32_t by = params->is_backward ? -1 : 1;
    const int32_t row_end = params->is_backward ? 0 : params->output_w - 1;
    pixel.index += by;
    if (pixel.x != row_end) {
        pixel.x += by;
        pixel.left += by * params->stride_w;
        return pixel;
    }
    pixel.x = params->output_w - 1 - row_end;
    pixel.left = pixel.x * params->stride_w - params->pad_left;
    pixel.top += by * params->stride_h;
    return pixel;
}

/** Whether nothing of a window lies in the padding. */
static inline __attribute__((always_inline)) bool
ts_conv_2d_s8_dsp_is_inside(const ts_conv_2d_s8_dsp_params *params, ts_conv_2d_s8_dsp_pixel at)
{
    return at.top >= 0 && at.left >= 0 &&
           at.top + (params->filter_h - 1) * params->dilation_h < params->input_h &&
           at.left + (params->filter_w - 1) * params->dilation_w < params->input_w;
}

/** Copy bytes; a loop in place of a function of the library, which copies single bytes. */
static inline __attribute__((always_inline)) void ts_copy_bytes(int8_t *to, const int8_t *from,
                                                                int32_t count)
{
    int32_t done = 0;
    for (; done + 4 <= count; done += 4) {
        const uint32_t word = ts_load_word(from + done);
        memcpy(to + done, &word, sizeof word);
    }
    for (; done < count; done++) {
        to[done] = from[done];
    }
}

/**
 * @brief Copy what a window sees; outside of the image the padding.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`
 * @param at the pixel of the output
 * @param[out] seen int8 `[filter_h, filter_w, C]`, 4-byte aligned
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_dsp_window(const ts_conv_2d_s8_dsp_params *params, const int8_t *image,
                         ts_conv_2d_s8_dsp_pixel at, int8_t *seen)
{
    const int32_t channels = params->input_c;
    const int32_t run = params->filter_w * channels;
    const int32_t width = params->input_w * channels;
    if (params->dilation_w == 1 && ts_conv_2d_s8_dsp_is_inside(params, at)) {
        const int8_t *row = image + at.top * width + at.left * channels;
        for (int32_t i = 0; i < params->filter_h; i++) { /* of a length known to the compiler */
            ts_copy_bytes(seen + i * run, row, run);
            row += params->dilation_h * width;
        }
        return;
    }
    const uint32_t fill = (uint8_t)params->padding * UINT32_C(0x01010101);
    for (int32_t i = 0; i < params->filter_h * run; i += 4) {
        memcpy(seen + i, &fill, sizeof fill);
    }
    const ts_span rows = ts_clip(at.top, params->filter_h, params->dilation_h, params->input_h);
    const ts_span columns =
        ts_clip(at.left, params->filter_w, params->dilation_w, params->input_w);
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int8_t *const row = image + (at.top + i * params->dilation_h) * width;
        const int32_t step = params->dilation_w == 1 ? columns.end - columns.begin : 1;
        for (int32_t j = columns.begin; j < columns.end; j += step) {
            ts_copy_bytes(seen + i * run + j * channels,
                          row + (at.left + j * params->dilation_w) * channels, step * channels);
        }
    }
}

/**
 * @brief Gather what the windows of two pixels see.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`
 * @param first a pixel of the output
 * @param second another or the same
 * @param[out] columns both windows, widened; elements beyond the last are anything
 * @param[out] seen room for both windows as bytes, each padded to words
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_dsp_gather(const ts_conv_2d_s8_dsp_params *params, const int8_t *image,
                         ts_conv_2d_s8_dsp_pixel first, ts_conv_2d_s8_dsp_pixel second,
                         uint32_t *columns, int8_t *seen)
{
    const int32_t run = params->filter_w * params->input_c;
    const int32_t width = params->input_w * params->input_c;
    const int32_t padded = (params->filter_h * run + 3) / 4 * 4;
    if (run % 4 == 0 && params->dilation_w == 1 && ts_conv_2d_s8_dsp_is_inside(params, first) &&
        ts_conv_2d_s8_dsp_is_inside(params, second)) {
        ts_widen_pair(image + first.top * width + first.left * params->input_c,
                      image + second.top * width + second.left * params->input_c, columns, run / 4,
                      params->filter_h, params->dilation_h * width - run);
        return;
    }
    ts_conv_2d_s8_dsp_window(params, image, first, seen);
    ts_conv_2d_s8_dsp_window(params, image, second, seen + padded);
    ts_widen_pair(seen, seen + padded, columns, padded / 4, 1, 0);
}

/** The same for all layers with whole words of channels: one copy of the code. */
static __attribute__((noinline, unused)) void
ts_conv_2d_s8_dsp_gather_words(const ts_conv_2d_s8_dsp_params *params, const int8_t *image,
                               ts_conv_2d_s8_dsp_pixel first, ts_conv_2d_s8_dsp_pixel second,
                               uint32_t *columns, int8_t *seen)
{
    ts_conv_2d_s8_dsp_gather(params, image, first, second, columns, seen);
}

/** The same for windows of one pixel that lie side by side: two runs. */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_dsp_gather_pixels(const int8_t *first, const int8_t *second, int32_t length,
                                uint32_t *columns)
{
    const int32_t words = length / 4;
    if (words > 0) {
        ts_widen_pair(first, second, columns, words, 1, 0);
    }
    if (length % 4 != 0) {
        uint32_t rest[2] = {0, 0};
        memcpy(&rest[0], first + 4 * words, (size_t)(length % 4));
        memcpy(&rest[1], second + 4 * words, (size_t)(length % 4));
        columns[4 * words] = ts_even_bytes(rest[0]);
        columns[4 * words + 1] = ts_even_bytes(rest[1]);
        columns[4 * words + 2] = ts_odd_bytes(rest[0]);
        columns[4 * words + 3] = ts_odd_bytes(rest[1]);
    }
}

/** Requantize the sums of one pixel. */
static __attribute__((noinline, unused)) void
ts_conv_2d_s8_dsp_scale(const ts_conv_2d_s8_dsp_params *params, const int32_t *sums,
                        const ts_channel *channels, int8_t *output)
{
    for (int32_t o = 0; o < params->output_c; o++) {
        output[o] = ts_offset_clamp_s8(ts_requantize_as(sums[o], channels[o].multiplier,
                                                        channels[o].shift, params->rounding),
                                       params->output_offset, params->activation_min,
                                       params->activation_max);
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[o,i,j,c] * (input[n,y',x',c] -
 * zero_point)) + output_offset)`, as ts_conv_2d_s8().
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] stream biases, weights and scaling, see matrix_s8_dsp.h
 * @param[in] channels requantization `[O]`, for workers that store sums; else anything
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch columns, 4 bytes an element and 8 bytes; sums, 8 bytes a channel; windows, 2 bytes an element
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_dsp(const ts_conv_2d_s8_dsp_params *params, const int8_t *input,
                  const int32_t *stream, const ts_channel *channels, int8_t *output,
                  uint8_t *scratch)
{
    const int32_t length = params->filter_h * params->filter_w * params->input_c;
    const int32_t padded = (length + 3) / 4 * 4;
    const int32_t pixels = params->output_h * params->output_w;
    const bool is_pointwise = length == params->input_c && params->stride_h == 1 &&
                              params->stride_w == 1 && params->pad_top == 0 &&
                              params->pad_left == 0;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    const uint32_t *const end = columns + padded;
    const uint32_t *const end_16 = columns + padded / 16 * 16;
    const int32_t *const stream_end = stream + params->stream_words;
    int32_t *const sums = (int32_t *)(void *)(scratch + 4 * padded + 8);
    const int32_t sums_size = (params->output_c + 3) / 4 * 4;
    int8_t *const seen = (int8_t *)(sums + (params->worker >= TS_MATRIX_SUMS ? 2 * sums_size : 0));
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * params->input_h * params->input_w * params->input_c;
        int8_t *const result = output + n * pixels * params->output_c;
        ts_conv_2d_s8_dsp_pixel pixel = {0, 0, -params->pad_top, -params->pad_left};
        if (params->is_backward) {
            pixel.index = pixels - 1;
            pixel.x = params->output_w - 1;
            pixel.top += (params->output_h - 1) * params->stride_h;
            pixel.left += pixel.x * params->stride_w;
        }
        for (int32_t left = pixels; left > 0; left -= 2) {
            const ts_conv_2d_s8_dsp_pixel first = pixel;
            const ts_conv_2d_s8_dsp_pixel second =
                left == 1 ? first : ts_conv_2d_s8_dsp_next(params, first);
            pixel = ts_conv_2d_s8_dsp_next(params, second);
            if (is_pointwise) {
                ts_conv_2d_s8_dsp_gather_pixels(image + first.index * length,
                                                image + second.index * length, length, columns);
            } else if (params->input_c % 4 == 0) {
                ts_conv_2d_s8_dsp_gather_words(params, image, first, second, columns, seen);
            } else {
                ts_conv_2d_s8_dsp_gather(params, image, first, second, columns, seen);
            }
            int8_t *const output0 = result + first.index * params->output_c;
            int8_t *const output1 = result + second.index * params->output_c;
#define TS_MULTIPLY(worker, output0, output1)                                                    \
    (params->is_paired ? worker##_paired : worker)(columns, stream, output0, output1, end_16, end, \
                                                   stream_end, params->output_offset,             \
                                                   params->activation_min, params->activation_max)
            if (params->worker == TS_MATRIX_WIDE) {
                ts_matrix_wide_sums(columns, stream, sums, sums + sums_size, end_16, end,
                                    stream_end, 0, 0, 0);
            } else if (params->worker == TS_MATRIX_SUMS) {
                TS_MULTIPLY(ts_matrix_sums, sums, sums + sums_size);
            } else if (params->worker == TS_MATRIX_CLAMP) {
                TS_MULTIPLY(ts_matrix_clamp, output0, output1);
            } else if (params->worker == TS_MATRIX_ANY) {
                if (params->is_relu) {
                    TS_MULTIPLY(ts_matrix_any_relu, output0, output1);
                } else {
                    TS_MULTIPLY(ts_matrix_any, output0, output1);
                }
            } else if (params->is_relu) {
                TS_MULTIPLY(ts_matrix_whole_relu, output0, output1);
            } else {
                TS_MULTIPLY(ts_matrix_whole, output0, output1);
            }
            if (params->worker >= TS_MATRIX_SUMS) {
                ts_conv_2d_s8_dsp_scale(params, sums, channels, output0);
                ts_conv_2d_s8_dsp_scale(params, sums + sums_size, channels, output1);
            }
#undef TS_MULTIPLY
        }
    }
}

#endif
