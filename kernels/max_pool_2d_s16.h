/**
 * @file
 * @brief MAX_POOL_2D on int16, in portable C.
 */
#ifndef TS_MAX_POOL_2D_S16_H
#define TS_MAX_POOL_2D_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_max_pool_2d_s16(). */
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
    int32_t activation_min; /**< [-32768, 32767] */
    int32_t activation_max; /**< [activation_min, 32767] */
} ts_max_pool_2d_s16_params;

/**
 * @brief Largest value of one channel in one window.
 * @param params sizes
 * @param[in] image int16 `[H, W, C]`, one batch of the input, from its channel on
 * @param rows where the window stands along H
 * @param columns where the window stands along W
 */
static inline __attribute__((always_inline)) int32_t
ts_max_pool_2d_s16_window(const ts_max_pool_2d_s16_params *params, const int16_t *image,
                          ts_span rows, ts_span columns)
{
    int32_t largest = INT16_MIN;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j;
            const int32_t value = image[(y * params->input_w + x) * params->channels];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

/**
 * @brief `output[n,y,x,c] = clamp(max of the window)`; the padding does not take part.
 *
 * @param params sizes and range, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[N, H, W, C]`, [-32768, 32767]
 * @param[out] output int16 `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_max_pool_2d_s16(const ts_max_pool_2d_s16_params *params, const int16_t *input, int16_t *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        const int16_t *image = input + n * image_size;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         1, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_clip(x * params->stride_w - params->pad_left,
                                                params->filter_w, 1, params->input_w);
                for (int32_t c = 0; c < params->channels; c++) {
                    const int32_t largest =
                        ts_max_pool_2d_s16_window(params, image + c, rows, columns);
                    const int32_t least =
                        largest < params->activation_min ? params->activation_min : largest;
                    *output++ =
                        (int16_t)(least > params->activation_max ? params->activation_max : least);
                }
            }
        }
    }
}

#endif
