/**
 * @file
 * @brief An image in another size, each pixel one of the input's; elements of 16 bits.
 */
#ifndef TS_RESIZE_NEAREST_16_H
#define TS_RESIZE_NEAREST_16_H

#include <stdint.h>

/** Parameters of ts_resize_nearest_16(). */
typedef struct {
    int32_t batches;  /**< images, > 0 */
    int32_t input_h;  /**< height of the input, > 0 */
    int32_t input_w;  /**< width of the input, > 0 */
    int32_t channels; /**< elements of a pixel, > 0 */
    int32_t output_h; /**< height of the output, > 0 */
    int32_t output_w; /**< width of the output, > 0 */
} ts_resize_nearest_16_params;

/** An element of whatever type: what is moved is only bits. */
typedef uint16_t __attribute__((may_alias)) ts_resize_nearest_16_element;

/**
 * @brief `output[n, y, x, :] = input[n, rows[y], columns[x], :]`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input `[batches, input_h, input_w, channels]`
 * @param[in] rows int32 `[output_h]`, in [0, input_h)
 * @param[in] columns int32 `[output_w]`, in [0, input_w)
 * @param[out] output `[batches, output_h, output_w, channels]`
 */
static inline __attribute__((always_inline)) void ts_resize_nearest_16(
    const ts_resize_nearest_16_params *params, const void *input, const int32_t *rows,
    const int32_t *columns, void *output)
{
    const ts_resize_nearest_16_element *image = (const ts_resize_nearest_16_element *)input;
    ts_resize_nearest_16_element *restrict to = (ts_resize_nearest_16_element *)output;
    const int32_t row_length = params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_resize_nearest_16_element *row = image + rows[y] * row_length;
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_resize_nearest_16_element *restrict pixel =
                    row + columns[x] * params->channels;
                for (int32_t c = 0; c < params->channels; c++) {
                    *to++ = pixel[c];
                }
            }
        }
        image += params->input_h * row_length;
    }
}

#endif
