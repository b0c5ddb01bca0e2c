/**
 * @file
 * @brief DEPTHWISE_CONV_2D on float32, on an FPU.
 */
#ifndef TS_DEPTHWISE_CONV_2D_F32_VFP_H
#define TS_DEPTHWISE_CONV_2D_F32_VFP_H

#include <stdint.h>

#include "quant.h"
#include "vfp.h"
#include "vfp_trio.h"
#include "vfp_window.h"

/** Parameters of ts_depthwise_conv_2d_f32_vfp(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t input_h;      /**< H of the input, > 0 */
    int32_t input_w;      /**< W of the input, > 0 */
    int32_t input_c;      /**< C, >= 4 */
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
} ts_depthwise_conv_2d_f32_vfp_params;

/** Tensors of a layer, moved to one of its batches. */
typedef struct {
    const float *image;  /**< float32 `[H, W, C]` */
    const float *filter; /**< float32 `[1, H, W, C]` */
    const float *bias;   /**< `[C]` */
} ts_depthwise_conv_2d_f32_vfp_tensors;

/**
 * @brief Outputs of one pixel, or of three that see nothing of the padding left and right.
 * @param params sizes
 * @param tensors what to read
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W; for three, where the first stands
 * @param pixels 1 or 3
 * @param[out] output of the first pixel
 */
static __attribute__((noinline)) void
ts_depthwise_conv_2d_f32_vfp_pixels(const ts_depthwise_conv_2d_f32_vfp_params *params,
                                    const ts_depthwise_conv_2d_f32_vfp_tensors *tensors,
                                    const ts_span *rows, const ts_span *columns, int32_t pixels,
                                    float *output)
{
    const int32_t channels = params->input_c;
    const int32_t pitch = channels * (int32_t)sizeof(float);
    const int32_t high = rows->end - rows->begin;
    const int32_t wide = columns->end - columns->begin;
    const int32_t top = rows->origin + rows->begin * params->dilation_h;
    const int32_t left = columns->origin + columns->begin * params->dilation_w;
    const int32_t row_bytes = params->dilation_h * params->input_w * pitch;
    const int32_t is_seen = high > 0 && wide > 0;
    const int32_t first_tap = rows->begin * params->filter_w + columns->begin;
    ts_vfp_window window = {
        is_seen ? tensors->image + (top * params->input_w + left) * channels : tensors->image,
        is_seen ? tensors->filter + first_tap * channels : tensors->filter,
        tensors->bias,
        output,
        high,
        wide,
        params->dilation_w * pitch,
        row_bytes - wide * params->dilation_w * pitch,
        (params->filter_w - wide) * pitch,
        pitch,
        16,
        channels / 8,
        ts_vfp_begin(params->activation_min),
    };
    if (pixels == 3) {
        window.turns = channels / 4;
        window.input_row_bytes = row_bytes - 4 * pitch;
        if (params->is_backward) {
            window.input += channels - 4;
            window.filter += channels - 4;
            window.bias += channels - 4;
            window.output += channels - 4;
            window.step_bytes = -16;
        }
        window.state = ts_vfp_trio(&window);
    } else {
        int32_t done = 0;
        if (is_seen && channels >= 8) {
            ts_vfp_window_8(&window);
            done = channels & ~7;
        }
        if (is_seen && channels - done >= 4) {
            window.turns = 1;
            ts_vfp_window_4(&window);
            done += 4;
        }
        for (int32_t c = done; c < channels; c++) {
            float sum = 0.0F;
            for (int32_t i = 0; i < high; i++) {
                for (int32_t j = 0; j < wide; j++) {
                    const int32_t y = top + i * params->dilation_h;
                    const int32_t x = left + j * params->dilation_w;
                    const int32_t tap = first_tap + i * params->filter_w + j;
                    sum += tensors->image[(y * params->input_w + x) * channels + c] *
                           tensors->filter[tap * channels + c];
                }
            }
            output[c] = ts_clamp_f32(sum + tensors->bias[c], params->activation_min,
                                     params->activation_max);
        }
    }
    ts_vfp_finish(output, pixels * channels, window.state, params->activation_min,
                  params->activation_max);
}

/** All of ts_depthwise_conv_2d_f32_vfp(), shared by layers of all shapes. */
static __attribute__((noinline)) void
ts_depthwise_conv_2d_f32_vfp_layer(const ts_depthwise_conv_2d_f32_vfp_params *params,
                                   const ts_depthwise_conv_2d_f32_vfp_tensors *all, float *output)
{
    const int32_t channels = params->input_c;
    const int32_t image_size = params->input_h * params->input_w * channels;
    const int32_t width = params->output_w;
    /* Columns [begin, end) of the output see nothing of the padding left and right. */
    const int32_t extent = (params->filter_w - 1) * params->dilation_w + 1;
    const int32_t begin = (params->pad_left + params->stride_w - 1) / params->stride_w;
    const int32_t room = params->input_w + params->pad_left - extent;
    const int32_t fits = room < 0 ? 0 : room / params->stride_w + 1;
    const int32_t end = fits < width ? fits : width;
    const int32_t has_trios = params->filter_w == 3 && params->stride_w == 1 &&
                              params->dilation_w == 1 && channels % 4 == 0;
    ts_depthwise_conv_2d_f32_vfp_tensors tensors = *all;
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t line = 0; line < params->output_h; line++) {
            const int32_t y = params->is_backward ? params->output_h - 1 - line : line;
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         params->dilation_h, params->input_h);
            float *const first = output + (n * params->output_h + y) * width * channels;
            for (int32_t done = 0, pixels; done < width; done += pixels) {
                const int32_t from = params->is_backward ? width - done - 3 : done;
                const int32_t is_trio =
                    has_trios && rows.end > rows.begin && from >= begin && from + 3 <= end;
                pixels = is_trio ? 3 : 1;
                const int32_t x = params->is_backward ? width - done - pixels : done;
                const int32_t origin = x * params->stride_w - params->pad_left;
                const ts_span columns =
                    ts_clip(origin, params->filter_w, params->dilation_w, params->input_w);
                ts_depthwise_conv_2d_f32_vfp_pixels(params, &tensors, &rows, &columns, pixels,
                                                    first + x * channels);
            }
        }
        tensors.image += image_size;
    }
}

/**
 * @brief What ts_depthwise_conv_2d_f32() computes for a depth multiplier of 1, to the same bits.
 *
 * Pixels are computed one by one or, where nothing but the filter's three columns is seen, three
 * by three: then the last one's output may be written while the first one's input is read.
 *
 * @param params sizes and ranges
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] filter float32 `[1, H, W, C]`
 * @param[in] bias added to the sums `[C]`
 * @param[out] output float32 `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_f32_vfp(const ts_depthwise_conv_2d_f32_vfp_params *params, const float *input,
                             const float *filter, const float *bias, float *output)
{
    const ts_depthwise_conv_2d_f32_vfp_tensors tensors = {input, filter, bias};
    ts_depthwise_conv_2d_f32_vfp_layer(params, &tensors, output);
}

#endif
