/**
 * @file
 * @brief CONV_2D on int8 with the DSP instructions, stride 1: windows read from widened rows.
 *
 * Faster than gathering windows (conv_2d_s8_dsp.h), for the room of as many rows as a window has.
 */
#ifndef TS_CONV_2D_S8_DSP_ROWS_H
#define TS_CONV_2D_S8_DSP_ROWS_H

#include <stdint.h>

#include "dsp.h"
#include "matrix_rows_s8_dsp.h"

/** Parameters of ts_conv_2d_s8_dsp_rows(). */
typedef struct {
    int32_t batches;       /**< N, > 0 */
    int32_t input_h;       /**< H of the input, > 0 */
    int32_t input_w;       /**< W of the input, > 0 */
    int32_t input_c;       /**< C: 16, 32 or 64 */
    int32_t output_h;      /**< H of the output */
    int32_t output_w;      /**< W of the output, > 1 */
    int32_t output_c;      /**< O, a multiple of 4 */
    int32_t filter_h;      /**< H of the filter, > 0 */
    int32_t filter_w;      /**< W of the filter, > 0 */
    int32_t stride_h;      /**< > 0 */
    int32_t dilation_h;    /**< > 0 */
    int32_t pad_top;       /**< rows of padding above the input, >= 0 */
    int32_t pad_left;      /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;   /**< 1: from the last row to the first; else 0 */
    int32_t is_paired;     /**< 1: for a core that starts two instructions in a cycle; else 0 */
    int32_t is_relu;       /**< 1: nothing below output_offset comes out; else 0 */
    int32_t padding;       /**< zero point of the input, [-128, 127] */
    int32_t output_offset; /**< zero point of the output, [-128, 127] */
    int32_t stream_words;  /**< words of the stream */
} ts_conv_2d_s8_dsp_rows_params;

/** Fill `count` elements of a widened row with the padding; a multiple of 4. */
static __attribute__((noinline, unused)) uint32_t *ts_fill_row(uint32_t *widened, int32_t padding,
                                                               int32_t count)
{
    const uint32_t pair = (uint32_t)(uint16_t)padding * UINT32_C(0x00010001);
    for (int32_t i = 0; i < count; i += 2) {
        *widened++ = pair;
    }
    return widened;
}

/**
 * @brief Widen the rows that the windows of a row of outputs see, padding on all sides.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`
 * @param top row of the input that the windows begin at; may lie in the padding
 * @param[out] widened `[filter_h, output_w + filter_w - 1, C]`
 */
static __attribute__((noinline, unused)) void
ts_conv_2d_s8_dsp_rows_widen(const ts_conv_2d_s8_dsp_rows_params *params, const int8_t *image,
                             int32_t top, uint32_t *widened)
{
    const int32_t columns = params->output_w + params->filter_w - 1;
    const int32_t inside = params->input_w < columns - params->pad_left
                               ? params->input_w
                               : columns - params->pad_left;
    for (int32_t i = 0; i < params->filter_h; i++) {
        const int32_t y = top + i * params->dilation_h;
        if (y < 0 || y >= params->input_h) {
            widened = ts_fill_row(widened, params->padding, columns * params->input_c);
            continue;
        }
        widened = ts_fill_row(widened, params->padding, params->pad_left * params->input_c);
        ts_widen_row(image + y * params->input_w * params->input_c, widened,
                     inside * params->input_c / 4);
        widened += inside * params->input_c / 2;
        widened = ts_fill_row(widened, params->padding,
                              (columns - params->pad_left - inside) * params->input_c);
    }
}

/**
 * @brief As ts_conv_2d_s8_dsp(), for stride 1 along the rows and no dilation along them.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] stream biases, weights and scaling, see matrix_s8_dsp.h
 * @param[out] output int8 `[N, H, W, O]`, [-128, 127]
 * @param scratch widened rows: `2 * filter_h * (output_w + filter_w - 1) * C` bytes, and 8
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_dsp_rows(const ts_conv_2d_s8_dsp_rows_params *params, const int8_t *input,
                       const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    uint32_t *const rows = (uint32_t *)(void *)scratch;
    const int32_t pixel_words = params->input_c / 2;
    const int32_t row_words = (params->output_w + params->filter_w - 1) * pixel_words;
    const int32_t run_words = params->filter_w * pixel_words;
    const int32_t *const stream_end = stream + params->stream_words;
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * params->input_h * params->input_w * params->input_c;
        int8_t *const result = output + n * params->output_h * params->output_w * params->output_c;
        for (int32_t row = 0; row < params->output_h; row++) {
            const int32_t y = params->is_backward ? params->output_h - 1 - row : row;
            ts_conv_2d_s8_dsp_rows_widen(params, image, y * params->stride_h - params->pad_top,
                                         rows);
            for (int32_t next = 0; next < params->output_w; next += 2) {
                /* The last of an odd number goes with the one before, once more. */
                const int32_t x = next == params->output_w - 1 ? next - 1 : next;
                int8_t *const pixel = result + (y * params->output_w + x) * params->output_c;
                const uint32_t *const at = rows + x * pixel_words;
#define TS_MULTIPLY(worker)                                                                       \
    worker(at, stream, pixel, pixel + params->output_c, 4 * run_words,                           \
           4 * (row_words - run_words), at + params->filter_h * row_words, stream_end,           \
           params->output_offset)
#define TS_MULTIPLY_ALL(worker)                                                                   \
    (params->is_relu                                                                              \
         ? (params->is_paired ? TS_MULTIPLY(worker##_relu_paired) : TS_MULTIPLY(worker##_relu))  \
         : (params->is_paired ? TS_MULTIPLY(worker##_paired) : TS_MULTIPLY(worker)))
                if (params->input_c == 16) {
                    TS_MULTIPLY_ALL(ts_matrix_rows_16);
                } else if (params->input_c == 32) {
                    TS_MULTIPLY_ALL(ts_matrix_rows_32);
                } else {
                    TS_MULTIPLY_ALL(ts_matrix_rows_64);
                }
#undef TS_MULTIPLY_ALL
#undef TS_MULTIPLY
            }
        }
    }
}

#endif
