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
    int32_t is_backward; /**< 1: from the last pixel to the first; else 0 */
} ts_conv_2d_s8_v6m_params;

/**
 * The layer, as a table in flash: what the shared code takes as arguments. As parameters they would
 * be copied to the stack first.
 */
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
    int32_t padding;        /**< zero point of the input, [-128, 127] */
    int32_t offset;         /**< zero point of the output plus 128, [0, 255] */
    int32_t limit;          /**< accumulators are clamped to +-this, < 2^21; 0: no need */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
    int32_t columns_bytes;  /**< of the columns in scratch */
    int32_t padding_bytes;  /**< of a row of padding behind them; 0: no window leaves the image */
    int32_t stream_words;   /**< words of the stream */
    int32_t pixels;         /**< of an image of the output */
    int32_t tops;           /**< windows inside the image begin in a row from 0 to below this */
    int32_t lefts;          /**< and in a column below this; 0 if dilation makes holes in a row */
    int32_t beside_bytes;   /**< from a window to the one beside it */
    int32_t turn;           /**< columns that windows step over in a row of the output */
    int32_t turn_bytes;     /**< from where the window behind a row would be to the next row's */
} ts_conv_2d_s8_v6m_layer;

/** Where the window of a pixel of the output begins, which may be outside of the image. */
typedef struct {
    int32_t top;  /**< row of the input, from -pad_top on */
    int32_t left; /**< column of the input, from -pad_left on */
} ts_conv_2d_s8_v6m_place;

/**
 * @brief Pack what four windows see of which not all are inside the image, or that have holes.
 * @param layer sizes
 * @param[in] windows where they begin, or would
 * @param[in] places the same
 * @param[out] scratch columns; a row of padding lies behind them
 */
static __attribute__((noinline)) void
ts_conv_2d_s8_v6m_gather(const ts_conv_2d_s8_v6m_layer *layer, const int8_t *const *windows,
                         const ts_conv_2d_s8_v6m_place *places, uint8_t *scratch)
{
    const int32_t width = layer->input_w;
    const int32_t row = layer->dilation_h * width * layer->input_c;
    const int32_t column = layer->dilation_w * layer->input_c;
    const int8_t *const outside = (const int8_t *)scratch + layer->columns_bytes;
    int32_t runs = layer->dilation_w == 1 ? 1 : layer->filter_w;
    for (int32_t s = 0; s < 4; s++) {
        if (places[s].left < 0 || places[s].left + layer->filter_w > width) {
            runs = layer->filter_w;
        }
    }
    ts_v6m_elements elements = {
        .run = runs == 1 ? layer->filter_w * layer->input_c : layer->input_c,
        .rows = 1,
    };
    int32_t *columns = (int32_t *)(void *)scratch;
    for (int32_t i = 0; i < layer->filter_h; i++) {
        for (int32_t j = 0; j < runs; j++) {
            for (int32_t s = 0; s < 4; s++) {
                const int32_t y = places[s].top + i * layer->dilation_h;
                const int32_t x = places[s].left + j * layer->dilation_w;
                const bool is_inside =
                    (uint32_t)y < (uint32_t)layer->input_h && (uint32_t)x < (uint32_t)width;
                elements.from[s] = is_inside ? windows[s] + i * row + j * column : outside;
            }
            ts_v6m_pack(&elements, columns);
            elements.is_odd += elements.run;
            columns += (elements.is_odd >> 1) * 4;
            elements.is_odd &= 1;
        }
    }
}

/** ts_conv_2d_s8_v6m(), one copy for all layers. */
static __attribute__((noinline)) void
ts_conv_2d_s8_v6m_run(const ts_conv_2d_s8_v6m_layer *layer, int32_t is_backward,
                      const int8_t *input, const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    const int32_t by = 1 - 2 * is_backward;
    const int32_t next = by * layer->output_c;
    const int32_t image = layer->input_h * layer->input_w * layer->input_c;
    ts_v6m_tile tile = {
        .stream_end = stream + layer->stream_words,
        .columns = (const int32_t *)(const void *)scratch,
        .columns_end = (const int32_t *)(const void *)(scratch + layer->columns_bytes),
        .offset = layer->offset,
        .limit = layer->limit,
    };
    ts_v6m_elements elements = {
        .run = layer->filter_w * layer->input_c,
        .row = layer->dilation_h * layer->input_w * layer->input_c,
        .rows = layer->filter_h,
    };
    for (int32_t i = 0; i < layer->padding_bytes; i++) {
        scratch[layer->columns_bytes + i] = (uint8_t)layer->padding;
    }
    int8_t *pixel = output;
    for (int32_t n = 0; n < layer->batches; n++) {
        int32_t x = 0; /* columns left behind */
        ts_conv_2d_s8_v6m_place at = {-layer->pad_top, -layer->pad_left};
        if (is_backward) {
            at.top += (layer->output_h - 1) * layer->stride_h;
            at.left += (layer->output_w - 1) * layer->stride_w;
            pixel += (layer->pixels - 1) * layer->output_c;
        }
        const int8_t *window = input + (at.top * layer->input_w + at.left) * layer->input_c;
        for (int32_t remaining = layer->pixels; remaining > 0; remaining -= 4) {
            ts_conv_2d_s8_v6m_place places[4];
            int32_t are_inside = 1;
            int32_t four = 4;
            __asm__("" : "+r"(four)); /* keeps gcc from unrolling what is not worth it */
            for (int32_t i = 0; i < four; i++) {
                places[i] = at;
                elements.from[i] = window;
                are_inside &= ((uint32_t)at.top < (uint32_t)layer->tops) &
                              ((uint32_t)at.left < (uint32_t)layer->lefts);
                /* What is missing behind the last pixel is that one again. */
                tile.step[i] = i + 1 < remaining ? next : 0;
                if (i + 1 >= remaining) {
                    continue;
                }
                x++;
                at.left += by * layer->stride_w;
                window += by * layer->beside_bytes;
                if (x == layer->output_w) {
                    x = 0;
                    at.left -= by * layer->turn;
                    at.top += by * layer->stride_h;
                    window += by * layer->turn_bytes;
                }
            }
            if (are_inside) {
                ts_v6m_pack(&elements, (int32_t *)(void *)scratch);
            } else {
                ts_conv_2d_s8_v6m_gather(layer, elements.from, places, scratch);
            }
            tile.output = pixel;
            ts_v6m_four(&tile, stream);
            pixel += 4 * next;
        }
        input += image;
        pixel = output + (n + 1) * layer->pixels * layer->output_c;
    }
    if (layer->activation_min != -128 || layer->activation_max != 127) {
        ts_v6m_clamp(output, layer->batches * layer->pixels * layer->output_c,
                     layer->activation_min, layer->activation_max);
    }
}

/**
 * @brief What ts_conv_2d_s8() computes without groups.
 * @param params direction, a literal at the call
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] layer a ts_conv_2d_s8_v6m_layer
 * @param[in] stream weights and channels, see matrix_v6m.h; the zero point of the input is folded
 * into the biases
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch columns, and a row of padding behind them
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_s8_v6m(const ts_conv_2d_s8_v6m_params *params, const int8_t *input,
                  const int32_t *layer, const int32_t *stream, int8_t *output, uint8_t *scratch)
{
    ts_conv_2d_s8_v6m_run((const ts_conv_2d_s8_v6m_layer *)(const void *)layer,
                          params->is_backward, input, stream, output, scratch);
}

#endif
