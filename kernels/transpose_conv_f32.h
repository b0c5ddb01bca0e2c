/**
 * @file
 * @brief TRANSPOSE_CONV on float32, in portable C.
 */
#ifndef TS_TRANSPOSE_CONV_F32_H
#define TS_TRANSPOSE_CONV_F32_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_transpose_conv_f32(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t input_h;      /**< H of the input, > 0 */
    int32_t input_w;      /**< W of the input, > 0 */
    int32_t input_c;      /**< C, > 0 */
    int32_t output_h;     /**< H of the output, > 0 */
    int32_t output_w;     /**< W of the output, > 0 */
    int32_t filter_h;     /**< H of the filter, > 0 */
    int32_t filter_w;     /**< W of the filter, > 0 */
    int32_t stride_h;     /**< > 0 */
    int32_t stride_w;     /**< > 0 */
    int32_t pad_top;      /**< rows cut off above the output, >= 0 */
    int32_t pad_left;     /**< columns cut off left of the output, >= 0 */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
    int32_t output_c;     /**< O, > 0 */
} ts_transpose_conv_f32_params;

/**
 * @brief Add to `acc` what all inputs send to one output.
 * @param params sizes
 * @param[in] image float32 `[H, W, C]`, one batch of the input
 * @param[in] filter float32 `[H, W, C]`, one output channel of the filter
 * @param rows input rows that reach the output
 * @param columns input columns that reach the output
 * @param acc what to add to
 */
static inline __attribute__((always_inline)) float
ts_transpose_conv_f32_window(const ts_transpose_conv_f32_params *params, const float *image,
                             const float *filter, ts_span rows, ts_span columns, float acc)
{
    for (int32_t y = rows.begin; y < rows.end; y++) {
        const int32_t i = rows.origin - y * params->stride_h;
        for (int32_t x = columns.begin; x < columns.end; x++) {
            const int32_t j = columns.origin - x * params->stride_w;
            acc =
                ts_dot_f32(acc, image + (y * params->input_w + x) * params->input_c,
                           filter + (i * params->filter_w + j) * params->input_c, params->input_c);
        }
    }
    return acc;
}

/**
 * @brief `output[n,y,x,o] = clamp(sum filter[o,i,j,c] * input[n,y',x',c] + bias[o])`.
 *
 * The sum runs over all y', i with y' * stride_h + i = y + pad_top, and x', j alike: each output
 * gathers what a scattering loop over the inputs would add to it, in that loop's order.
 *
 * Products are added in the order of the input, the bias last.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] filter float32 `[O, H, W, C]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_transpose_conv_f32(const ts_transpose_conv_f32_params *params, const float *input,
                      const float *filter, const float *bias, float *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->input_c;
    const int32_t filter_size = params->filter_h * params->filter_w * params->input_c;
    for (int32_t n = 0; n < params->batches; n++) {
        const float *image = input + n * image_size;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_reaching(y + params->pad_top, params->filter_h,
                                             params->stride_h, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_reaching(x + params->pad_left, params->filter_w,
                                                    params->stride_w, params->input_w);
                for (int32_t o = 0; o < params->output_c; o++) {
                    const float sum = ts_transpose_conv_f32_window(
                        params, image, filter + o * filter_size, rows, columns, 0.0F);
                    *output++ = ts_clamp_f32(sum + bias[o], params->activation_min,
                                                params->activation_max);
                }
            }
        }
    }
}

#endif
