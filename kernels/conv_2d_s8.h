/**
 * @file
 * @brief CONV_2D on int8, in portable C.
 */
#ifndef TS_CONV_2D_S8_H
#define TS_CONV_2D_S8_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"

/** Parameters of ts_conv_2d_s8(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t input_c;        /**< C, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t filter_h;       /**< H of the filter, > 0 */
    int32_t filter_w;       /**< W of the filter, > 0 */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t dilation_h;     /**< > 0 */
    int32_t dilation_w;     /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, >= 0 */
    int32_t pad_left;       /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;    /**< 1: from the last pixel to the first; else 0 */
    int32_t input_offset;   /**< -zero_point of the input, [-127, 128] */
    int32_t filter_offset;  /**< -zero_point of the filter, [-127, 128] */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    int32_t output_c;       /**< O, > 0, a multiple of the number of groups */
    int32_t filter_c;       /**< channels of a group: C is this times the number of groups, > 0 */
} ts_conv_2d_s8_params;

/**
 * @brief Add to `acc` what one filter finds in one window, modulo 2^32.
 *
 * Without dilation and groups the columns of a row lie side by side in input and filter: one run
 * of products.
 *
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`, one batch of the input, from the group's first channel on
 * @param[in] filter int8 `[H, W, filter_c]`, one output channel of the filter
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_conv_2d_s8_window(const ts_conv_2d_s8_params *params, const int8_t *image, const int8_t *filter,
                     ts_span rows, ts_span columns, uint32_t acc)
{
    const bool contiguous = params->dilation_w == 1 && params->filter_c == params->input_c;
    const int32_t inside = columns.end - columns.begin;
    const int32_t runs = contiguous ? 1 : inside;
    const int32_t run_length = contiguous ? inside * params->filter_c : params->filter_c;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i * params->dilation_h;
        for (int32_t j = columns.begin; j < columns.begin + runs; j++) {
            const int32_t x = columns.origin + j * params->dilation_w;
            acc = ts_dot_offset_s8(acc, image + (y * params->input_w + x) * params->input_c,
                                   filter + (i * params->filter_w + j) * params->filter_c,
                                   run_length, params->input_offset, params->filter_offset);
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum (filter[o,i,j,c] + filter_offset) *
 * (input[n,y',x',c] + input_offset)) + output_offset)`.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h, and x' alike; the padding adds nothing. With
 * groups c runs over the channels of the group that o belongs to.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] filter int8 `[O, H, W, filter_c]`, [-128, 127]
 * @param[in] channels bias and requantization `[O]`
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8(const ts_conv_2d_s8_params *params, const int8_t *input, const int8_t *filter,
              const ts_channel *channels, int8_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t filter_size = params->filter_h * params->filter_w * params->filter_c;
    const int32_t groups = params->input_c / params->filter_c;
    const int32_t group_size = params->output_c / groups;
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * image_size;
        for (int32_t row = 0; row < params->output_h; row++) {
            const int32_t y = params->is_backward ? params->output_h - 1 - row : row;
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         params->dilation_h, params->input_h);
            for (int32_t column = 0; column < params->output_w; column++) {
                const int32_t x = params->is_backward ? params->output_w - 1 - column : column;
                const ts_span columns =
                    ts_clip(x * params->stride_w - params->pad_left, params->filter_w,
                            params->dilation_w, params->input_w);
                int8_t *pixel =
                    output + ((n * params->output_h + y) * params->output_w + x) * params->output_c;
                for (int32_t o = 0; o < params->output_c; o++) {
                    const int32_t first = groups == 1 ? 0 : o / group_size * params->filter_c;
                    const uint32_t sum =
                        ts_conv_2d_s8_window(params, image + first, filter + o * filter_size, rows,
                                             columns, (uint32_t)channels[o].bias);
                    *pixel++ = ts_offset_clamp_s8(
                        ts_requantize_as(ts_wrap_s32(sum), channels[o].multiplier,
                                         channels[o].shift, params->rounding),
                        params->output_offset, params->activation_min, params->activation_max);
                }
            }
        }
    }
}

#endif
