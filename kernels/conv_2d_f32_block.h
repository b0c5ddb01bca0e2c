/**
 * @file
 * @brief CONV_2D on float32 in block floating point, for cores without an FPU.
 */
#ifndef TS_CONV_2D_F32_BLOCK_H
#define TS_CONV_2D_F32_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "block_f32.h"

/** Parameters of ts_conv_2d_f32_block(). */
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
    int32_t pad_top;      /**< rows of padding above the input, >= 0 */
    int32_t pad_left;     /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;  /**< 1: from the last pixel to the first; else 0 */
    int32_t is_scaled;    /**< 1: exponents of inputs change; else 0 */
    int32_t pixels;       /**< that are computed together, (0, 8] */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
    int32_t output_c;     /**< O, > 0 */
} ts_conv_2d_f32_block_params;

/** Where a window begins, which may be outside of the image. */
typedef struct {
    const float *image; /**< one batch of the input */
    int32_t top;        /**< row of the input */
    int32_t left;       /**< column of the input */
} ts_conv_2d_f32_block_window;

/** Say where the window of a pixel of the output begins. */
static ts_conv_2d_f32_block_window
ts_conv_2d_f32_block_window_of(const ts_conv_2d_f32_block_params *params, const float *input,
                               int32_t pixel)
{
    const int32_t row = pixel / params->output_w;
    const int32_t n = row / params->output_h;
    return (ts_conv_2d_f32_block_window){
        input + n * params->input_h * params->input_w * params->input_c,
        (row - n * params->output_h) * params->stride_h - params->pad_top,
        (pixel - row * params->output_w) * params->stride_w - params->pad_left,
    };
}

/**
 * @brief Take what a window sees of a block.
 * @param params sizes
 * @param[in] scales of all inputs, or NULL
 * @param window where it begins
 * @param start first input of the block
 * @param list what takes it
 */
TS_BLOCK_SHARED void
ts_conv_2d_f32_block_gather(const ts_conv_2d_f32_block_params *params, const int8_t *scales,
                            const ts_conv_2d_f32_block_window *window, int32_t start,
                            ts_block_list *list)
{
    const int32_t row_length = params->filter_w * params->input_c;
    const int32_t length = params->filter_h * row_length;
    const int32_t end = length - start < TS_BLOCK_LENGTH ? length : start + TS_BLOCK_LENGTH;
    /* Elements of a row of the window that are inside the image. */
    const int32_t before = window->left < 0 ? -window->left * params->input_c : 0;
    const int32_t room = (params->input_w - window->left) * params->input_c;
    const int32_t after = room < row_length ? room : row_length;
    int32_t y = window->top;
    int32_t row = 0; /* where the row begins among the inputs */
    for (; row + row_length <= start; row += row_length) {
        y += params->dilation_h;
    }
    for (; row < end; row += row_length) {
        const int32_t first = start - row > before ? start - row : before;
        const int32_t last = end - row < after ? end - row : after;
        if (y >= 0 && y < params->input_h && first < last) {
            const int32_t at = (y * params->input_w + window->left) * params->input_c + first;
            ts_block_put(list, window->image + at, scales ? scales + row + first : NULL,
                         last - first, row + first - start);
        }
        y += params->dilation_h;
    }
}

/** ts_conv_2d_f32_block(), one copy for all layers. */
TS_BLOCK_SHARED void
ts_conv_2d_f32_block_layer(const ts_conv_2d_f32_block_params *params, const float *input,
                           const int32_t *weights, const int8_t *scales, const float *bias,
                           float *output, uint8_t *scratch)
{
    const int32_t all = params->batches * params->output_h * params->output_w;
    const int32_t length = params->filter_h * params->filter_w * params->input_c;
    const int32_t entries = length < TS_BLOCK_LENGTH ? length : TS_BLOCK_LENGTH;
    const int32_t outputs = params->output_c;
    ts_conv_2d_f32_block_window windows[8];
    ts_block_list lists[8];
    ts_block block = {
        .weights = weights,
        .scales = params->is_scaled ? scales : NULL,
        .length = length,
        .outputs = outputs,
        .lists = lists,
    };
    ts_block_entry *const first = (ts_block_entry *)(void *)scratch;
    float *const sums = (float *)(void *)(first + params->pixels * entries);
    for (int32_t r = 0; r < params->pixels; r++) {
        ts_block_entry *const own = first + r * entries;
        lists[r] = (ts_block_list){own, own, 0, sums + r * outputs};
    }
    for (int32_t done = 0; done < all; done += block.rows) {
        block.rows = all - done < params->pixels ? all - done : params->pixels;
        const int32_t pixel = params->is_backward ? all - done - block.rows : done;
        for (int32_t r = 0; r < block.rows; r++) {
            windows[r] = ts_conv_2d_f32_block_window_of(params, input, pixel + r);
            for (int32_t o = 0; o < outputs; o++) {
                lists[r].sums[o] = bias[o];
            }
        }
        for (int32_t start = 0; start < length; start += TS_BLOCK_LENGTH) {
            for (int32_t r = 0; r < block.rows; r++) {
                ts_conv_2d_f32_block_gather(params, block.scales, &windows[r], start, &lists[r]);
            }
            ts_block_flush(&block, start);
        }
        ts_block_write(sums, block.rows * outputs, params->activation_min, params->activation_max,
                       output + pixel * outputs);
    }
}

/**
 * @brief What ts_conv_2d_f32() computes without groups and dilation_w, rounded otherwise.
 *
 * See block_f32.h. All that the windows of `pixels` see is read before any of their outputs is
 * written.
 *
 * @param params sizes and ranges, a literal at the call
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] weights blocks of `[O, H * W * C]`
 * @param[in] scales int8 `[H * W * C]` of the filter, [-127, 0], or any one if inputs are not scaled
 * @param[in] bias what sums begin with `[O]`
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch for each of `pixels` 4 bytes an output, and 8 an input of a block
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_f32_block(const ts_conv_2d_f32_block_params *params, const float *input,
                     const int32_t *weights, const int8_t *scales, const float *bias, float *output,
                     uint8_t *scratch)
{
    ts_conv_2d_f32_block_layer(params, input, weights, scales, bias, output, scratch);
}

#endif
