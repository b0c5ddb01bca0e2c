/**
 * @file
 * @brief RESIZE_BILINEAR on int8, in portable C.
 */
#ifndef TS_RESIZE_BILINEAR_S8_H
#define TS_RESIZE_BILINEAR_S8_H

#include <stdint.h>

/** Parameters of ts_resize_bilinear_s8(). */
typedef struct {
    int32_t batches;  /**< images, > 0 */
    int32_t input_h;  /**< height of the input, > 0 */
    int32_t input_w;  /**< width of the input, > 0 */
    int32_t channels; /**< elements of a pixel, > 0 */
    int32_t output_h; /**< height of the output, > 0 */
    int32_t output_w; /**< width of the output, > 0 */
} ts_resize_bilinear_s8_params;

/**
 * @brief Each pixel is the weighted mean of four pixels of the input.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[batches, input_h, input_w, channels]`
 * @param[in] tops int32 `[output_h]`, upper row, in [0, input_h)
 * @param[in] bottoms int32 `[output_h]`, lower row, in [0, input_h)
 * @param[in] heights `[output_h]`, weight of the lower row in units of 2**-10, [-1024, 2048]
 * @param[in] lefts int32 `[output_w]`, left column, in [0, input_w)
 * @param[in] rights int32 `[output_w]`, right column, in [0, input_w)
 * @param[in] widths `[output_w]`, weight of the right column in units of 2**-10, [-1024, 2048]
 * @param[out] output int8 `[batches, output_h, output_w, channels]`
 */
static inline __attribute__((always_inline)) void ts_resize_bilinear_s8(
    const ts_resize_bilinear_s8_params *params, const int8_t *input, const int32_t *tops,
    const int32_t *bottoms, const int32_t *heights, const int32_t *lefts, const int32_t *rights,
    const int32_t *widths, int8_t *output)
{
    const int32_t row_length = params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            const int8_t *top = input + tops[y] * row_length;
            const int8_t *bottom = input + bottoms[y] * row_length;
            const int32_t v = heights[y];
            for (int32_t x = 0; x < params->output_w; x++) {
                const int8_t *a = top + lefts[x] * params->channels;
                const int8_t *b = bottom + lefts[x] * params->channels;
                const int8_t *d = top + rights[x] * params->channels;
                const int8_t *e = bottom + rights[x] * params->channels;
                const int32_t w = widths[x];
                const int32_t left_top = (1024 - v) * (1024 - w);
                const int32_t left_bottom = v * (1024 - w);
                const int32_t right_top = (1024 - v) * w;
                const int32_t right_bottom = v * w;
                for (int32_t c = 0; c < params->channels; c++) {
                    const int32_t sum = (int32_t)a[c] * left_top + (int32_t)b[c] * left_bottom +
                                        (int32_t)d[c] * right_top + (int32_t)e[c] * right_bottom;
                    const int32_t half = sum > 0 ? 1 << 19 : -(1 << 19);
                    *output++ = (int8_t)((sum + half) / (1 << 20));
                }
            }
        }
        input += params->input_h * row_length;
    }
}

#endif
