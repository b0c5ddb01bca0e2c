/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int16, in portable C.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S16_H
#define TS_DEPTHWISE_CONV_2D_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_depthwise_conv_2d_s16(). */
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
    int32_t accumulator_bits; /**< 32 or 64 */
    int32_t activation_min;   /**< [-32768, 32767] */
    int32_t activation_max;   /**< [activation_min, 32767] */
    int32_t depth_multiplier; /**< output channels of an input channel: O = C * this, > 0 */
} ts_depthwise_conv_2d_s16_params;

/**
 * @brief Add to `acc` what one channel's filter finds in one window, modulo 2^64.
 * @param params sizes
 * @param[in] image int16 `[H, W, C]`, one batch of the input, from its channel on
 * @param[in] filter int8 `[H, W, O]`, from its channel on
 * @param rows where the filter stands along H
 * @param columns where the filter stands along W
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) uint64_t
ts_depthwise_conv_2d_s16_window(const ts_depthwise_conv_2d_s16_params *params, const int16_t *image,
                                const int8_t *filter, ts_span rows, ts_span columns, uint64_t acc)
{
    const int32_t output_c = params->input_c * params->depth_multiplier;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i * params->dilation_h;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j * params->dilation_w;
            const int32_t value = image[(y * params->input_w + x) * params->input_c];
            const int32_t weight = filter[(i * params->filter_w + j) * output_c];
            acc += (uint64_t)(int64_t)(weight * value);
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[i,j,o] * input[n,y',x',c]))`
 * for c = o / depth_multiplier.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h, and x' alike; the padding adds nothing.
 *
 * One accumulator stays in a register while the window is summed; a block of channels side by side
 * would load and store theirs for each product.
 *
 * Sums run in 64 bits; accumulators of 32 bits are what is left modulo 2^32.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[N, H, W, C]`, [-32768, 32767]
 * @param[in] filter int8 `[1, H, W, O]`, [-128, 127]
 * @param[in] bias added to the sums `[O]`
 * @param[in] scaling multiplier and shift `[O, 2]`, see ts_output_s16()
 * @param[out] output int16 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s16(const ts_depthwise_conv_2d_s16_params *params, const int16_t *input,
                         const int8_t *filter, const int64_t *bias, const int32_t *scaling,
                         int16_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t output_c = params->input_c * params->depth_multiplier;
    for (int32_t n = 0; n < params->batches; n++) {
        const int16_t *image = input + n * image_size;
        for (int32_t row = 0; row < params->output_h; row++) {
            const int32_t y = params->is_backward ? params->output_h - 1 - row : row;
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         params->dilation_h, params->input_h);
            for (int32_t column = 0; column < params->output_w; column++) {
                const int32_t x = params->is_backward ? params->output_w - 1 - column : column;
                const ts_span columns =
                    ts_clip(x * params->stride_w - params->pad_left, params->filter_w,
                            params->dilation_w, params->input_w);
                int16_t *pixel =
                    output + ((n * params->output_h + y) * params->output_w + x) * output_c;
                int32_t o = 0;
                for (int32_t c = 0; c < params->input_c; c++) {
                    for (int32_t k = 0; k < params->depth_multiplier; k++) {
                        const uint64_t sum = ts_depthwise_conv_2d_s16_window(
                            params, image + c, filter + o, rows, columns, (uint64_t)bias[o]);
                        *pixel++ = ts_output_s16(sum, scaling + 2 * o, params->accumulator_bits,
                                                  params->activation_min, params->activation_max);
                        o++;
                    }
                }
            }
        }
    }
}

#endif
