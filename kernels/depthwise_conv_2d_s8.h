/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8, in portable C.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S8_H
#define TS_DEPTHWISE_CONV_2D_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_depthwise_conv_2d_s8(). */
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
    int32_t input_offset;     /**< -zero_point of the input, [-127, 128] */
    int32_t filter_offset;    /**< -zero_point of the filter, [-127, 128] */
    int32_t output_offset;    /**< zero_point of the output, [-128, 127] */
    int32_t rounding;         /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min;   /**< [-128, 127] */
    int32_t activation_max;   /**< [activation_min, 127] */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_s8_params;

/**
 * @brief Add to `acc` what one channel's filter finds in one window, modulo 2^32.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`, one batch of the input, from its channel on
 * @param[in] filter int8 `[H, W, O]`, from its channel on
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_depthwise_conv_2d_s8_window(const ts_depthwise_conv_2d_s8_params *params, const int8_t *image,
                               const int8_t *filter, ts_span rows, ts_span columns, uint32_t acc)
{
    const int32_t output_c = params->input_c * params->depth_multiplier;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i * params->dilation_h;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j * params->dilation_w;
            const int32_t value = image[(y * params->input_w + x) * params->input_c];
            const int32_t weight = filter[(i * params->filter_w + j) * output_c];
            acc += (uint32_t)((weight + params->filter_offset) * (value + params->input_offset));
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum (filter[i,j,o] + filter_offset) *
 * (input[n,y',x',c] + input_offset)) + output_offset)` for c = o / depth_multiplier.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h, and x' alike; the padding adds nothing.
 *
 * One accumulator stays in a register while the window is summed; a block of channels side by side
 * would load and store theirs for each product.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] filter int8 `[1, H, W, O]`, [-128, 127]
 * @param[in] channels bias and requantization `[O]`
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s8(const ts_depthwise_conv_2d_s8_params *params, const int8_t *input,
                        const int8_t *filter, const ts_channel *channels, int8_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t output_c = params->input_c * params->depth_multiplier;
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
                    output + ((n * params->output_h + y) * params->output_w + x) * output_c;
                int32_t o = 0;
                for (int32_t c = 0; c < params->input_c; c++) {
                    for (int32_t k = 0; k < params->depth_multiplier; k++) {
                        const uint32_t sum =
                            ts_depthwise_conv_2d_s8_window(params, image + c, filter + o, rows,
                                                           columns, (uint32_t)channels[o].bias);
                        *pixel++ = ts_offset_clamp_s8(
                            ts_requantize_as(ts_wrap_s32(sum), channels[o].multiplier,
                                             channels[o].shift, params->rounding),
                            params->output_offset, params->activation_min, params->activation_max);
                        o++;
                    }
                }
            }
        }
    }
}

#endif
