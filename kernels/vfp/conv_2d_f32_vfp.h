/**
 * @file
 * @brief CONV_2D on float32, on an FPU.
 */
#ifndef TS_CONV_2D_F32_VFP_H
#define TS_CONV_2D_F32_VFP_H

#include <stdint.h>
#include <string.h>

#include "vfp.h"
#include "vfp_row.h"
#include "vfp_tile.h"

/** Pixels that are computed together. */
#define TS_CONV_2D_F32_VFP_PIXELS 5

/** Parameters of ts_conv_2d_f32_vfp(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t input_h;      /**< H of the input, > 0 */
    int32_t input_w;      /**< W of the input, > 0 */
    int32_t input_c;      /**< C, > 0 */
    int32_t output_h;     /**< H of the output */
    int32_t output_w;     /**< W of the output */
    int32_t filter_h;     /**< H of the filter, > 0 */
    int32_t filter_w;     /**< W of the filter, > 0 */
    int32_t stride_h;     /**< > 0 */
    int32_t stride_w;     /**< > 0 */
    int32_t dilation_h;   /**< > 0 */
    int32_t dilation_w;   /**< > 0 */
    int32_t pad_top;      /**< rows of padding above the input, >= 0 */
    int32_t pad_left;     /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;  /**< 1: from the last pixel to the first; else 0 */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
    int32_t output_c;     /**< O, > 0 */
} ts_conv_2d_f32_vfp_params;

/**
 * @brief Copy numbers to every `step`-th place.
 *
 * They go through the core's registers, which are loaded and stored in fewer cycles.
 *
 * @param[out] to first place
 * @param[in] from `[count]`, or NULL for zeros
 * @param count of numbers
 * @param step 1, or TS_CONV_2D_F32_VFP_PIXELS
 * @return behind the last place
 */
static __attribute__((noinline)) float *ts_conv_2d_f32_vfp_spread(float *to, const float *from,
                                                                  int32_t count, int32_t step)
{
    if (from == NULL) {
        for (; count > 0; count--) {
            *to = 0.0F;
            to += step;
        }
        return to;
    }
    for (; step == TS_CONV_2D_F32_VFP_PIXELS && count >= 4; count -= 4) {
        uint32_t a;
        uint32_t b;
        uint32_t c;
        uint32_t d;
        memcpy(&a, from, 4);
        memcpy(&b, from + 1, 4);
        memcpy(&c, from + 2, 4);
        memcpy(&d, from + 3, 4);
        memcpy(to, &a, 4);
        memcpy(to + TS_CONV_2D_F32_VFP_PIXELS, &b, 4);
        memcpy(to + 2 * TS_CONV_2D_F32_VFP_PIXELS, &c, 4);
        memcpy(to + 3 * TS_CONV_2D_F32_VFP_PIXELS, &d, 4);
        from += 4;
        to += 4 * TS_CONV_2D_F32_VFP_PIXELS;
    }
    for (; count > 0; count--) {
        *to = *from++;
        to += step;
    }
    return to;
}

/**
 * @brief Copy what a filter sees from one place; zeros where the padding lies.
 *
 * A product with zero adds nothing to a sum, since no sum is -0 and all filters are finite.
 *
 * @param params sizes
 * @param[in] image float32 `[H, W, C]`, one batch of the input
 * @param y row of the output
 * @param x column of the output
 * @param[out] column `[filter_h * filter_w * C]`, every `step`-th place
 * @param step see ts_conv_2d_f32_vfp_spread()
 */
static __attribute__((noinline)) void
ts_conv_2d_f32_vfp_gather(const ts_conv_2d_f32_vfp_params *params, const float *image, int32_t y,
                          int32_t x, float *column, int32_t step)
{
    const int32_t channels = params->input_c;
    const int32_t columns = params->filter_w;
    const int32_t left = x * params->stride_w - params->pad_left;
    int32_t row = y * params->stride_h - params->pad_top;
    for (int32_t i = 0; i < params->filter_h; i++) {
        const float *const line = image + row * params->input_w * channels;
        const int32_t is_inside = row >= 0 && row < params->input_h;
        row += params->dilation_h;
        if (!is_inside) {
            column = ts_conv_2d_f32_vfp_spread(column, NULL, columns * channels, step);
        } else if (params->dilation_w > 1) {
            for (int32_t j = 0; j < columns; j++) {
                const int32_t at = left + j * params->dilation_w;
                const float *const from =
                    at >= 0 && at < params->input_w ? line + at * channels : NULL;
                column = ts_conv_2d_f32_vfp_spread(column, from, channels, step);
            }
        } else {
            const int32_t before = left >= 0 ? 0 : left < -columns ? columns : -left;
            const int32_t room = params->input_w - left;
            const int32_t end = room > columns ? columns : room > before ? room : before;
            if (before > 0) {
                column = ts_conv_2d_f32_vfp_spread(column, NULL, before * channels, step);
            }
            column = ts_conv_2d_f32_vfp_spread(column, line + (left + before) * channels,
                                               (end - before) * channels, step);
            if (end < columns) {
                column = ts_conv_2d_f32_vfp_spread(column, NULL, (columns - end) * channels, step);
            }
        }
    }
}

/**
 * @brief Outputs of three to five pixels.
 * @param filters weights and ranges
 * @param[in] columns `[count, 5]`
 * @param pixels [3, 5]
 * @param[out] output `[pixels, channels]`
 */
static __attribute__((noinline)) void ts_conv_2d_f32_vfp_pixels(const ts_vfp_filters *filters,
                                                                const float *columns,
                                                                int32_t pixels, float *output)
{
    const int32_t channels = filters->channels;
    const int32_t pitch = channels * (int32_t)sizeof(float);
    const int32_t whole = pixels == TS_CONV_2D_F32_VFP_PIXELS ? channels / 4 : 0;
    int32_t state = ts_vfp_begin(filters->activation_min);
    if (whole > 0) {
        state = ts_vfp_tile(columns, filters->weights, filters->bias, filters->count, whole, state,
                            output, pitch);
    }
    /* What is not as large as a tile is computed elsewhere, and the part that exists copied. */
    for (int32_t o = 4 * whole; o < channels; o += 4) {
        float tile[4 * TS_CONV_2D_F32_VFP_PIXELS];
        const int32_t wanted = channels - o < 4 ? channels - o : 4;
        state = ts_vfp_tile(columns, filters->weights + o * filters->count, filters->bias + o,
                            filters->count, 1, state, tile, 16);
        for (int32_t p = 0; p < pixels; p++) {
            for (int32_t i = 0; i < wanted; i++) {
                output[p * channels + o + i] = tile[4 * p + i];
            }
        }
    }
    ts_vfp_finish(output, pixels * channels, state, filters->activation_min,
                  filters->activation_max);
}

/** All of ts_conv_2d_f32_vfp(), shared by layers of all shapes. */
static __attribute__((noinline)) void
ts_conv_2d_f32_vfp_layer(const ts_conv_2d_f32_vfp_params *params, const ts_vfp_filters *filters,
                         const float *input, float *output, float *columns)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t width = params->output_w;
    const int32_t image_pixels = params->output_h * width;
    const int32_t pixels = params->batches * image_pixels;
    /* Where every filter is one pixel large and none is left out, pixels lie side by side. */
    const int32_t is_plain = params->filter_h * params->filter_w == 1 && params->pad_top == 0 &&
                             params->pad_left == 0 && params->output_h == params->input_h &&
                             params->output_w == params->input_w;
    for (int32_t done = 0; done < pixels; done += TS_CONV_2D_F32_VFP_PIXELS) {
        const int32_t rest = pixels - done;
        const int32_t count = rest < TS_CONV_2D_F32_VFP_PIXELS ? rest : TS_CONV_2D_F32_VFP_PIXELS;
        const int32_t first = params->is_backward ? rest - count : done;
        const int32_t is_tile = count > 2;
        const int32_t step = is_tile ? TS_CONV_2D_F32_VFP_PIXELS : 1;
        float *const to = output + first * filters->channels;
        int32_t n = is_plain ? 0 : first / image_pixels;
        int32_t y = is_plain ? 0 : first % image_pixels / width;
        int32_t x = is_plain ? 0 : first % image_pixels % width;
        for (int32_t p = 0; p < count; p++) {
            float *const column = columns + (is_tile ? p : p * filters->count);
            if (is_plain) {
                ts_conv_2d_f32_vfp_spread(column, input + (first + p) * params->input_c,
                                          filters->count, step);
                continue;
            }
            ts_conv_2d_f32_vfp_gather(params, input + n * image_size, y, x, column, step);
            x++;
            if (x == width) {
                x = 0;
                y++;
            }
            if (y == params->output_h) {
                y = 0;
                n++;
            }
        }
        if (is_tile) {
            for (int32_t p = count; p < TS_CONV_2D_F32_VFP_PIXELS; p++) {
                ts_conv_2d_f32_vfp_spread(columns + p, NULL, filters->count, step);
            }
            ts_conv_2d_f32_vfp_pixels(filters, columns, count, to);
            continue;
        }
        for (int32_t p = 0; p < count; p++) {
            ts_vfp_row_of_all(filters, columns + p * filters->count, to + p * filters->channels);
        }
    }
}

/**
 * @brief What ts_conv_2d_f32() computes without groups, to the same bits.
 *
 * What the filters see from five pixels is copied side by side before any of their outputs is
 * written.
 *
 * @param params sizes and ranges
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] filter float32 `[(O + 3) / 4, H * W * C, 4]`, finite, padded with zeros
 * @param[in] bias added to the sums, padded to a multiple of 8; none is -0
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch 20 * H * W * C bytes of the filter; for one pixel or two, 4 or 8 times that
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_f32_vfp(const ts_conv_2d_f32_vfp_params *params, const float *input, const float *filter,
                   const float *bias, float *output, uint8_t *scratch)
{
    const ts_vfp_filters filters = {
        filter,
        bias,
        params->filter_h * params->filter_w * params->input_c,
        params->output_c,
        params->activation_min,
        params->activation_max,
    };
    ts_conv_2d_f32_vfp_layer(params, &filters, input, output, (float *)(void *)scratch);
}

#endif
