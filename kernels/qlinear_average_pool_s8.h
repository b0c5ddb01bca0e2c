/**
 * @file
 * @brief QLINEAR_AVERAGE_POOL on int8, in portable C.
 */
#ifndef TS_QLINEAR_AVERAGE_POOL_S8_H
#define TS_QLINEAR_AVERAGE_POOL_S8_H

#include <stdint.h>

#include "float.h"
#include "quant.h"

/** Parameters of ts_qlinear_average_pool_s8(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t channels;       /**< C, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t filter_h;       /**< H of the window, > 0 */
    int32_t filter_w;       /**< W of the window, > 0 */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, [0, filter_h) */
    int32_t pad_left;       /**< columns of padding left of the input, [0, filter_w) */
    int32_t count;          /**< what sums are divided by; 0: by the positions inside the input */
    float output_scale;     /**< > 0 */
    int32_t zero_point;     /**< of the output, in the file, [-128, 255] */
    int32_t offset;         /**< what the output is more in the file, 0 or 128 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    float input_scale;      /**< > 0 */
    int32_t input_offset;   /**< -zero_point of the input, [-127, 128] */
} ts_qlinear_average_pool_s8_params;

/**
 * @brief Mean of one channel in one window; rows are summed in order, which
 * decides the last bit.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`, one batch of the input, from its channel
 * on
 * @param rows where the window stands along H
 * @param columns where the window stands along W
 */
static inline __attribute__((always_inline)) float
ts_qlinear_average_pool_s8_window(const ts_qlinear_average_pool_s8_params *params,
                                  const int8_t *image, ts_span rows, ts_span columns)
{
    float sum = 0.0F;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j;
            const int8_t value = image[(y * params->input_w + x) * params->channels];
            sum += params->input_scale * (float)(value + params->input_offset);
        }
    }
    const int32_t inside = (rows.end - rows.begin) * (columns.end - columns.begin);
    const int32_t count = params->count > 0 ? params->count : inside;
    return sum / (float)count;
}

/**
 * @brief `output[n,y,x,c] = clamp(round(mean of the window / output_scale +
 * zero_point) - offset)`.
 *
 * Each window has a part inside the input. The padding adds zeros where it
 * counts.
 *
 * @param params sizes and range, a literal at the call so that the compiler
 * specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[out] output int8 `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_qlinear_average_pool_s8(const ts_qlinear_average_pool_s8_params *params, const int8_t *input,
                           int8_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * image_size;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         1, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_clip(x * params->stride_w - params->pad_left,
                                                params->filter_w, 1, params->input_w);
                for (int32_t c = 0; c < params->channels; c++) {
                    const float mean =
                        ts_qlinear_average_pool_s8_window(params, image + c, rows, columns);
                    const float total = mean / params->output_scale + (float)params->zero_point;
                    const float bounded = ts_clamp_f32(total, -512.0F, 512.0F);
                    *output++ = ts_offset_clamp_s8(ts_round_f32(bounded, 1), -params->offset,
                                                   params->activation_min, params->activation_max);
                }
            }
        }
    }
}

#endif
