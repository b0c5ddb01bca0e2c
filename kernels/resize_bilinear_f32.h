/**
 * @file
 * @brief RESIZE_BILINEAR on float32, in portable C.
 */
#ifndef TS_RESIZE_BILINEAR_F32_H
#define TS_RESIZE_BILINEAR_F32_H

#include <stdint.h>

/** Parameters of ts_resize_bilinear_f32(). */
typedef struct {
    int32_t batches;  /**< images, > 0 */
    int32_t input_h;  /**< height of the input, > 0 */
    int32_t input_w;  /**< width of the input, > 0 */
    int32_t channels; /**< elements of a pixel, > 0 */
    int32_t output_h; /**< height of the output, > 0 */
    int32_t output_w; /**< width of the output, > 0 */
} ts_resize_bilinear_f32_params;

/**
 * @brief Each pixel is the weighted mean of four pixels of the input.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[batches, input_h, input_w, channels]`
 * @param[in] tops int32 `[output_h]`, upper row, in [0, input_h)
 * @param[in] bottoms int32 `[output_h]`, lower row, in [0, input_h)
 * @param[in] heights `[output_h]`, weight of the lower row
 * @param[in] lefts int32 `[output_w]`, left column, in [0, input_w)
 * @param[in] rights int32 `[output_w]`, right column, in [0, input_w)
 * @param[in] widths `[output_w]`, weight of the right column
 * @param[out] output float `[batches, output_h, output_w, channels]`
 */
static inline __attribute__((always_inline)) void ts_resize_bilinear_f32(
    const ts_resize_bilinear_f32_params *params, const float *input, const int32_t *tops,
    const int32_t *bottoms, const float *heights, const int32_t *lefts, const int32_t *rights,
    const float *widths, float *output)
{
    const int32_t row_length = params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            const float *top = input + tops[y] * row_length;
            const float *bottom = input + bottoms[y] * row_length;
            const float v = heights[y];
            for (int32_t x = 0; x < params->output_w; x++) {
                const float *a = top + lefts[x] * params->channels;
                const float *b = bottom + lefts[x] * params->channels;
                const float *d = top + rights[x] * params->channels;
                const float *e = bottom + rights[x] * params->channels;
                const float w = widths[x];
                for (int32_t c = 0; c < params->channels; c++) {
                    float sum = a[c] * (1.0f - v) * (1.0f - w);
                    sum += b[c] * v * (1.0f - w);
                    sum += d[c] * (1.0f - v) * w;
                    sum += e[c] * v * w;
                    *output++ = sum;
                }
            }
        }
        input += params->input_h * row_length;
    }
}

#endif
