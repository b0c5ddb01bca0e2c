/**
 * @file
 * @brief MAX_POOL_2D on float32, in portable C.
 */
#ifndef TS_MAX_POOL_2D_F32_H
#define TS_MAX_POOL_2D_F32_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_max_pool_2d_f32(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t input_h;      /**< H of the input, > 0 */
    int32_t input_w;      /**< W of the input, > 0 */
    int32_t channels;     /**< C, > 0 */
    int32_t output_h;     /**< H of the output */
    int32_t output_w;     /**< W of the output */
    int32_t filter_h;     /**< H of the window, > 0 */
    int32_t filter_w;     /**< W of the window, > 0 */
    int32_t stride_h;     /**< > 0 */
    int32_t stride_w;     /**< > 0 */
    int32_t pad_top;      /**< rows of padding above the input, [0, filter_h) */
    int32_t pad_left;     /**< columns of padding left of the input, [0, filter_w) */
    float activation_min; /**< finite */
    float activation_max; /**< finite, >= activation_min */
} ts_max_pool_2d_f32_params;

/**
 * @brief Largest value of one channel in one window; what is not a number does not take part.
 * @param params sizes
 * @param[in] image float `[H, W, C]`, one batch of the input, from its channel on
 * @param rows where the window stands along H
 * @param columns where the window stands along W
 */
static inline __attribute__((always_inline)) float
ts_max_pool_2d_f32_window(const ts_max_pool_2d_f32_params *params, const float *image, ts_span rows,
                          ts_span columns)
{
    float largest = -0x1.fffffep+127F;
    for (int32_t i = rows.begin; i < rows.end; i++) {
        const int32_t y = rows.origin + i;
        for (int32_t j = columns.begin; j < columns.end; j++) {
            const int32_t x = columns.origin + j;
            const float value = image[(y * params->input_w + x) * params->channels];
            largest = value > largest ? value : largest;
        }
    }
    return largest;
}

/**
 * @brief `output[n,y,x,c] = clamp(max of the window)`; the padding does not take part.
 *
 * @param params sizes and range, a literal at the call so that the compiler specialises
 * @param[in] input float `[N, H, W, C]`
 * @param[out] output float `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_max_pool_2d_f32(const ts_max_pool_2d_f32_params *params, const float *input, float *output)
{
    const int32_t image_size = params->input_h * params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        const float *image = input + n * image_size;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         1, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_clip(x * params->stride_w - params->pad_left,
                                                params->filter_w, 1, params->input_w);
                for (int32_t c = 0; c < params->channels; c++) {
                    const float largest =
                        ts_max_pool_2d_f32_window(params, image + c, rows, columns);
                    const float least =
                        largest < params->activation_min ? params->activation_min : largest;
                    *output++ = least > params->activation_max ? params->activation_max : least;
                }
            }
        }
    }
}

#endif
