/**
 * @file
 * @brief DEPTHWISE_CONV_2D on float32, in portable C.
 */
#ifndef TS_DEPTHWISE_CONV_2D_F32_H
#define TS_DEPTHWISE_CONV_2D_F32_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_depthwise_conv_2d_f32(). */
typedef struct {
    int32_t batches;          /**< N, > 0 */
    int32_t input_h;          /**< H of the input, > 0 */
    int32_t input_w;          /**< W of the input, > 0 */
    int32_t input_c;          /**< C, > 0 */
    int32_t output_h;         /**< H of the output */
    int32_t output_w;         /**< W of the output */
    int32_t filter_h;         /**< H of the filter, > 0 */
    int32_t filter_w;         /**< W of the filter, > 0 */
    int32_t stride_h;         /**< > 0 */
    int32_t stride_w;         /**< > 0 */
    int32_t dilation_h;       /**< > 0 */
    int32_t dilation_w;       /**< > 0 */
    int32_t pad_top;          /**< rows of padding above the input, >= 0 */
    int32_t pad_left;         /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;      /**< 1: from the last pixel to the first; else 0 */
    float activation_min;     /**< finite */
    float activation_max;     /**< >= activation_min, finite */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_f32_params;

/**
 * @brief Add to `acc` what one channel's filter finds in one window.
 * @param params sizes
 * @param[in] image float32 `[H, W, C]`, one batch of the input, from its channel on
 * @param[in] filter float32 `[H, W, O]`, from its channel on
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) float
ts_depthwise_conv_2d_f32_window(const ts_depthwise_conv_2d_f32_params *params, const float *image,
                                const float *filter, ts_span rows, ts_span columns, float acc)
{
    const int32_t output_c = params->input_c * params->depth_multiplier;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i * params->dilation_h;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j * params->dilation_w;
            const float value = image[(y * params->input_w + x) * params->input_c];
            const float weight = filter[(i * params->filter_w + j) * output_c];
            acc += value * weight;
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(sum filter[i,j,o] * input[n,y',x',c] + bias[o])` for c = o /
 * depth_multiplier.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h, and x' alike; the padding adds nothing.
 *
 * One accumulator stays in a register while the window is summed; a block of channels side by side
 * would load and store theirs for each product.
 *
 * Products are added in the order of the filter, the bias last.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] filter float32 `[1, H, W, O]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_f32(const ts_depthwise_conv_2d_f32_params *params, const float *input,
                         const float *filter, const float *bias, float *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t output_c = params->input_c * params->depth_multiplier;
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
                    output + ((n * params->output_h + y) * params->output_w + x) * output_c;
                int32_t o = 0;
                for (int32_t c = 0; c < params->input_c; c++) {
                    for (int32_t k = 0; k < params->depth_multiplier; k++) {
                        const float sum = ts_depthwise_conv_2d_f32_window(
                            params, image + c, filter + o, rows, columns, 0.0F);
                        *pixel++ = ts_clamp_f32(sum + bias[o], params->activation_min,
                                                    params->activation_max);
                        o++;
                    }
                }
            }
        }
    }
}

#endif
