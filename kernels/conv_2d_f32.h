/**
 * @file
 * @brief CONV_2D on float32, in portable C.
 */
#ifndef TS_CONV_2D_F32_H
#define TS_CONV_2D_F32_H

#include <stdbool.h>
#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_conv_2d_f32(). */
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
    int32_t output_c;     /**< O, > 0, a multiple of the number of groups */
    int32_t filter_c;     /**< channels of a group: C is this times the number of groups, > 0 */
} ts_conv_2d_f32_params;

/**
 * @brief Add to `acc` what one filter finds in one window.
 *
 * Without dilation and groups the columns of a row lie side by side in input and filter: one run
 * of products.
 *
 * @param params sizes
 * @param[in] image float32 `[H, W, C]`, one batch of the input, from the group's first channel on
 * @param[in] filter float32 `[H, W, filter_c]`, one output channel of the filter
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) float
ts_conv_2d_f32_window(const ts_conv_2d_f32_params *params, const float *image, const float *filter,
                      ts_span rows, ts_span columns, float acc)
{
    const bool contiguous = params->dilation_w == 1 && params->filter_c == params->input_c;
    const int32_t inside = columns.end - columns.begin;
    const int32_t runs = contiguous ? 1 : inside;
    const int32_t run_length = contiguous ? inside * params->filter_c : params->filter_c;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i * params->dilation_h;
        for (int32_t j = columns.begin; j < columns.begin + runs; j++) {
            const int32_t x = columns.origin + j * params->dilation_w;
            acc = ts_dot_f32(acc, image + (y * params->input_w + x) * params->input_c,
                             filter + (i * params->filter_w + j) * params->filter_c, run_length);
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(sum filter[o,i,j,c] * input[n,y',x',c] + bias[o])`.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h, and x' alike; the padding adds nothing. With
 * groups c runs over the channels of the group that o belongs to.
 *
 * Products are added in the order of the filter, the bias last.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] filter float32 `[O, H, W, filter_c]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_f32(const ts_conv_2d_f32_params *params, const float *input, const float *filter,
               const float *bias, float *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t filter_size = params->filter_h * params->filter_w * params->filter_c;
    const int32_t groups = params->input_c / params->filter_c;
    const int32_t group_size = params->output_c / groups;
    for (int32_t n = 0; n < params->batches; n++) {
        const float *image = input + n * image_size;
        for (int32_t row = 0; row < params->output_h; row++) {
            const int32_t y = params->is_backward ? params->output_h - 1 - row : row;
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         params->dilation_h, params->input_h);
            for (int32_t column = 0; column < params->output_w; column++) {
                const int32_t x = params->is_backward ? params->output_w - 1 - column : column;
                const ts_span columns =
                    ts_clip(x * params->stride_w - params->pad_left, params->filter_w,
                            params->dilation_w, params->input_w);
                float *pixel =
                    output + ((n * params->output_h + y) * params->output_w + x) * params->output_c;
                for (int32_t o = 0; o < params->output_c; o++) {
                    const int32_t first = groups == 1 ? 0 : o / group_size * params->filter_c;
                    const float sum = ts_conv_2d_f32_window(
                        params, image + first, filter + o * filter_size, rows, columns, 0.0F);
                    *pixel++ = ts_clamp_f32(sum + bias[o], params->activation_min,
                                                params->activation_max);
                }
            }
        }
    }
}

#endif
