/**
 * @file
 * @brief TRANSPOSE_CONV on int8, in portable C.
 */
#ifndef TS_TRANSPOSE_CONV_S8_H
#define TS_TRANSPOSE_CONV_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_transpose_conv_s8(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t input_c;        /**< C, > 0 */
    int32_t output_h;       /**< H of the output, > 0 */
    int32_t output_w;       /**< W of the output, > 0 */
    int32_t filter_h;       /**< H of the filter, > 0 */
    int32_t filter_w;       /**< W of the filter, > 0 */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t pad_top;        /**< rows cut off above the output, >= 0 */
    int32_t pad_left;       /**< columns cut off left of the output, >= 0 */
    int32_t input_offset;   /**< -zero_point of the input, [-127, 128] */
    int32_t filter_offset;  /**< -zero_point of the filter, [-127, 128] */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    int32_t output_c;       /**< O, > 0 */
} ts_transpose_conv_s8_params;

/**
 * @brief Add to `acc` what all inputs send to one output, modulo 2^32.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`, one batch of the input
 * @param[in] filter int8 `[H, W, C]`, one output channel of the filter
 * @param rows input rows that reach the output
 * @param columns input columns that reach the output
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_transpose_conv_s8_window(const ts_transpose_conv_s8_params *params, const int8_t *image,
                            const int8_t *filter, ts_span rows, ts_span columns, uint32_t acc)
{
    for (int32_t y = rows.begin; y < rows.end; y++) {
        const int32_t i = rows.origin - y * params->stride_h;
        for (int32_t x = columns.begin; x < columns.end; x++) {
            const int32_t j = columns.origin - x * params->stride_w;
            acc = ts_dot_offset_s8(acc, image + (y * params->input_w + x) * params->input_c,
                                   filter + (i * params->filter_w + j) * params->input_c,
                                   params->input_c, params->input_offset, params->filter_offset);
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum (filter[o,i,j,c] + filter_offset) *
 * (input[n,y',x',c] + input_offset)) + output_offset)`.
 *
 * The sum runs over all y', i with y' * stride_h + i = y + pad_top, and x', j alike: each output
 * gathers what a scattering loop over the inputs would add to it, in that loop's order.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] filter int8 `[O, H, W, C]`, [-128, 127]
 * @param[in] channels bias and requantization `[O]`
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_transpose_conv_s8(const ts_transpose_conv_s8_params *params, const int8_t *input,
                     const int8_t *filter, const ts_channel *channels, int8_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t filter_size = params->filter_h * params->filter_w * params->input_c;
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * image_size;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_reaching(y + params->pad_top, params->filter_h,
                                             params->stride_h, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_reaching(x + params->pad_left, params->filter_w,
                                                    params->stride_w, params->input_w);
                for (int32_t o = 0; o < params->output_c; o++) {
                    const uint32_t sum =
                        ts_transpose_conv_s8_window(params, image, filter + o * filter_size, rows,
                                                    columns, (uint32_t)channels[o].bias);
                    *output++ = ts_offset_clamp_s8(
                        ts_requantize_as(ts_wrap_s32(sum), channels[o].multiplier,
                                         channels[o].shift, params->rounding),
                        params->output_offset, params->activation_min, params->activation_max);
                }
            }
        }
    }
}

#endif
