/**
 * @file
 * @brief CONV_2D on int8 for Armv6-M: four pixels at a time.
 *
 * What the windows of four pixels see is packed in scratch, two inputs in a word; a worker that all
 * layers share multiplies it by the weights of all channels (matrix_v6m.h). Where a window leaves the
 * image it sees the input's zero point; zero points stand in the biases.
 */
#ifndef TS_CONV_2D_S8_V6M_H
#define TS_CONV_2D_S8_V6M_H

#include <stdbool.h>
#include <stdint.h>

#include "matrix_v6m.h"

/** Parameters of ts_conv_2d_s8_v6m(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t input_c;        /**< C, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t output_c;       /**< O, > 0 */
    int32_t filter_h;       /**< H of the filter, > 0 */
    int32_t filter_w;       /**< W of the filter, > 0 */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t dilation_h;     /**< > 0 */
    int32_t dilation_w;     /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, >= 0 */
    int32_t pad_left;       /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;    /**< 1: from the last pixel to the first; else 0 */
    int32_t padding;        /**< zero point of the input, [-128, 127] */
    int32_t offset;         /**< zero point of the output plus 128, [0, 255] */
    int32_t limit;          /**< accumulators are clamped to +-this, < 2^21; 0: no need */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    int32_t columns_bytes;  /**< of the columns in scratch */
    int32_t padding_bytes;  /**< of a row of padding behind them; 0: no window leaves the image */
    int32_t stream_words;   /**< words of the stream */
} ts_conv_2d_s8_v6m_params;

/** A pixel of the output: where its window begins in the input, padding included. */
typedef struct {
    int32_t x;    /**< column of the output */
    int32_t top;  /**< row of the input, from -pad_top on */
    int32_t left; /**< column of the input, from -pad_left on */
} ts_conv_2d_s8_v6m_pixel;

/**
 * @brief Pack what the windows of four pixels see.
 * @param params sizes
 * @param[in] image int8 `[H, W, C]`
 * @param[in] pixels four
 * @param[out] scratch columns; a row of padding lies behind them
 */
static __attribute__((noinline)) void
ts_conv_2d_s8_v6m_gather(const ts_conv_2d_s8_v6m_params *params, const int8_t *image,
                         const ts_conv_2d_s8_v6m_pixel *pixels, uint8_t *scratch)
{
    const int32_t channels = params->input_c;
    const int32_t width = params->input_w;
    const int32_t reach = (params->filter_w - 1) * params->dilation_w;
    const int8_t *const outside = (const int8_t *)scratch + params->columns_bytes;
    int32_t runs = params->dilation_w == 1 ? 1 : params->filter_w;
    for (int32_t s = 0; s < 4; s++) {
        if (pixels[s].left < 0 || pixels[s].left + reach >= width) {
            runs = params->filter_w;
        }
    }
    const int32_t run = runs == 1 ? params->filter_w * channels : channels;
    int32_t *columns = (int32_t *)(void *)scratch;
    int32_t is_odd = 0;
    for (int32_t i = 0; i < params->filter_h; i++) {
        for (int32_t j = 0; j < runs; j++) {
            const int8_t *from[4];
            for (int32_t s = 0; s < 4; s++) {
                const int32_t y = pixels[s].top + i * params->dilation_h;
                const int32_t x = pixels[s].left + j * params->dilation_w;
                const bool is_inside =
                    (uint32_t)y < (uint32_t)params->input_h && (uint32_t)x < (uint32_t)width;
                from[s] = is_inside ? image + (y * width + x) * channels : outside;
            }
            ts_v6m_pack(from, run, columns, is_odd);
            const int32_t done = is_odd + run;
            columns += (done >> 1) * 4;
            is_odd = done & 1;
        }
    }
}

/** ts_conv_2d_s8_v6m(), one copy for all layers. */
static __attribute__((noinline)) void
ts_conv_2d_s8_v6m_run(const ts_conv_2d_s8_v6m_params *params, const int8_t *input,
                      const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    const bool is_backward = params->is_backward != 0;
    const int32_t by = is_backward ? -1 : 1;
    const int32_t pixels = params->output_h * params->output_w;
    const int32_t last = params->output_w - 1;
    ts_v6m_tile tile = {
        .stream_end = stream + params->stream_words,
        .columns = (const int32_t *)(const void *)scratch,
        .columns_end = (const int32_t *)(const void *)(scratch + params->columns_bytes),
        .offset = params->offset,
        .limit = params->limit,
    };
    for (int32_t n = 0; n < params->batches; n++) {
        const ts_conv_2d_s8_v6m_pixel first = {0, -params->pad_top, -params->pad_left};
        ts_conv_2d_s8_v6m_pixel at = first;
        if (is_backward) {
            at.x = last;
            at.top += (params->output_h - 1) * params->stride_h;
            at.left += last * params->stride_w;
        }
        for (int32_t done = 0; done < pixels;) {
            /* If fewer than four are left, the first one stands in for the others, too. */
            const int32_t count = pixels - done < 4 ? pixels - done : 4;
            ts_conv_2d_s8_v6m_pixel four[4];
            for (int32_t i = 0; i < count; i++) {
                four[is_backward ? 3 - i : 4 - count + i] = at;
                at.x += by;
                at.left += by * params->stride_w;
                if (at.x < 0 || at.x > last) {
                    at.x = is_backward ? last : 0;
                    at.left = at.x * params->stride_w - params->pad_left;
                    at.top += by * params->stride_h;
                }
            }
            for (int32_t s = 3; s > 0; s--) {
                tile.step[s - 1] = s > 4 - count ? params->output_c : 0;
            }
            for (int32_t s = 3 - count; s >= 0; s--) {
                four[s] = four[s + 1];
            }
            ts_conv_2d_s8_v6m_gather(params, input, four, scratch);
            tile.output = output + (is_backward ? pixels - done - count : done) * params->output_c;
            ts_v6m_four(&tile, stream);
            done += count;
        }
        input += params->input_h * params->input_w * params->input_c;
        output += pixels * params->output_c;
    }
}

/**
 * @brief What ts_conv_2d_s8() computes without groups.
 * @param params sizes and ranges, a literal at the call
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] stream weights and channels, see matrix_v6m.h; the zero point of the input is folded
 * into the biases
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch columns, and a row of padding behind them
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_v6m(const ts_conv_2d_s8_v6m_params *params, const int8_t *input,
                  const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    for (int32_t i = 0; i < params->padding_bytes; i++) {
        scratch[params->columns_bytes + i] = (uint8_t)params->padding;
    }
    ts_conv_2d_s8_v6m_run(params, input, stream, output, scratch);
    if (params->activation_min != -128 || params->activation_max != 127) {
        ts_v6m_clamp(output,
                     params->batches * params->output_h * params->output_w * params->output_c,
                     params->activation_min, params->activation_max);
    }
}

#endif
