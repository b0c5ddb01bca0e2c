/**
 * @file
 * @brief CONV_2D on int8 with weights that are mostly zero, in portable C.
 *
 * The outputs of a row are computed in tiles. What a tile's windows see is gathered column by
 * column of the image, with the padding: a window is then one run of bytes, and the next one begins
 * a few bytes behind. The non-zeros of a filter are listed once for the whole tile, and each is
 * multiplied by its inputs of several windows.
 */
#ifndef TS_CONV_2D_SPARSE_S8_H
#define TS_CONV_2D_SPARSE_S8_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"
#include "sparse_s8.h"

/** Parameters of ts_conv_2d_sparse_s8(). */
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
    int32_t pad_top;        /**< rows of padding above the input, >= 0 */
    int32_t pad_left;       /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;    /**< 1: from the last pixel to the first; else 0 */
    int32_t tile;           /**< outputs that are gathered for, > 0, divides output_w */
    int32_t encoding;       /**< TS_SPARSE_CRS16, ... */
    int32_t count_step;     /**< 1: every filter has a count of its own; 0: one for all */
    int32_t list_length;    /**< the most values that a filter has */
    int32_t padding;        /**< zero_point of the input, [-128, 127] */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_conv_2d_sparse_s8_params;

/**
 * @brief Copy a row of pixels to places that lie apart, between padding.
 * @param[in] from the pixel of the first place that is inside
 * @param inside places that are inside the image; the others, before and behind, are padding
 * @param count places
 * @param bytes of a pixel, > 0
 * @param padding what padding is made of
 * @param[out] to the first place
 * @param pitch bytes from a place to the next
 */
static TS_SPARSE_SHARED void ts_conv_2d_sparse_s8_gather(const int8_t *from, ts_span inside,
                                                         int32_t count, int32_t bytes,
                                                         int32_t padding, int8_t *to, int32_t pitch)
{
    const bool is_whole = ((bytes | (int32_t)((uintptr_t)from & 3)) & 3) == 0;
    for (int32_t x = 0; x < count; x++, to += pitch) {
        if (x < inside.begin || x >= inside.end) {
            for (int32_t i = 0; i < bytes; i++) {
                to[i] = (int8_t)padding;
            }
            continue;
        }
        for (int32_t i = 0; i < bytes && !is_whole; i++) {
            to[i] = from[i];
        }
        for (int32_t i = 0; i < bytes && is_whole; i += 4) { /* places are whole words, too */
            uint32_t word;
            __builtin_memcpy(&word, __builtin_assume_aligned(from + i, 4), sizeof word);
            __builtin_memcpy(__builtin_assume_aligned(to + i, 4), &word, sizeof word);
        }
        from += bytes;
    }
}

/**
 * @brief Sums of TS_SPARSE_PIXELS windows.
 * @param[in] list see ts_sparse_list()
 * @param[in] end behind the last
 * @param[in] window the first window's inputs
 * @param step bytes from a window to the next
 * @param[in,out] sums uint32 `[TS_SPARSE_PIXELS]`: the first holds what all begin with
 */
static TS_SPARSE_SHARED void ts_conv_2d_sparse_s8_sums(const uint32_t *list, const uint32_t *end,
                                                       const int8_t *window, int32_t step,
                                                       uint32_t *sums)
{
    uint32_t a = sums[0];
    uint32_t b = a;
    uint32_t c = a;
    uint32_t d = a;
    while (list != end) {
        const uint32_t entry = *list++;
        const int8_t *input = window + (entry >> 8);
        const int32_t value = (int8_t)entry;
        a += (uint32_t)(value * input[0]);
        b += (uint32_t)(value * input[step]);
        input += 2 * step;
        c += (uint32_t)(value * input[0]);
        d += (uint32_t)(value * input[step]);
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[o,j,i,c] * input[n,y',x',c]) +
 * output_offset)`.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h and x' = x * stride_w - pad_left + j.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] codes where the non-zeros of the filter `[O, W * H * C]` are, see sparse_s8.h
 * @param[in] values the non-zeros
 * @param[in] counts codes of each filter, `[O]`, or of every one, `[1]`
 * @param[in] channels bias, with the input's zero point in it, and requantization `[O]`
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch a list, and `(max(tile, TS_SPARSE_PIXELS) - 1) * stride_w + filter_w` columns
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_sparse_s8(const ts_conv_2d_sparse_s8_params *params, const int8_t *input,
                     const void *codes, const int8_t *values, const uint16_t *counts,
                     const ts_channel *channels, int8_t *output, uint8_t *scratch)
{
    uint32_t *const list = (uint32_t *)(void *)scratch;
    int8_t *const columns = (int8_t *)scratch + 4 * params->list_length;
    const int32_t pitch = params->filter_h * params->input_c;
    const int32_t width = (params->tile - 1) * params->stride_w + params->filter_w;
    const int32_t row_tiles = params->output_w / params->tile;
    const int32_t image_tiles = params->output_h * row_tiles;
    for (int32_t turn = 0; turn < params->batches * image_tiles; turn++) {
        const int32_t place = params->is_backward ? params->batches * image_tiles - 1 - turn : turn;
        const int8_t *image =
            input + place / image_tiles * params->input_h * params->input_w * params->input_c;
        const int32_t y = place % image_tiles / row_tiles * params->stride_h - params->pad_top;
        const int32_t x = place % row_tiles * params->tile * params->stride_w - params->pad_left;
        for (int32_t i = 0; i < params->filter_h; i++) {
            const int32_t row = y + i * params->dilation_h;
            ts_span inside = ts_clip(x, width, 1, params->input_w);
            const int8_t *from = image;
            if (row < 0 || row >= params->input_h || inside.begin >= inside.end) {
                inside.end = inside.begin;
            } else {
                from += (row * params->input_w + x + inside.begin) * params->input_c;
            }
            ts_conv_2d_sparse_s8_gather(from, inside, width, params->input_c, params->padding,
                                        columns + i * params->input_c, pitch);
        }
        ts_sparse rest = {codes, values};
        for (int32_t o = 0; o < params->output_c; o++) {
            const uint32_t *const end =
                ts_sparse_list(params->encoding, &rest, counts[o * params->count_step], list);
            for (int32_t first = 0; first < params->tile; first += TS_SPARSE_PIXELS) {
                uint32_t sums[TS_SPARSE_PIXELS] = {(uint32_t)channels[o].bias};
                const int32_t behind = params->tile - TS_SPARSE_PIXELS;
                const int32_t at = first > behind && behind > 0 ? behind : first;
                ts_conv_2d_sparse_s8_sums(list, end, columns + at * params->stride_w * pitch,
                                          params->stride_w * pitch, sums);
                int8_t *pixel = output + (place * params->tile + at) * params->output_c + o;
                for (int32_t i = 0; i < TS_SPARSE_PIXELS && at + i < params->tile; i++) {
                    *pixel = ts_offset_clamp_s8(
                        ts_requantize_as(ts_wrap_s32(sums[i]), channels[o].multiplier,
                                         channels[o].shift, params->rounding),
                        params->output_offset, params->activation_min, params->activation_max);
                    pixel += params->output_c;
                }
            }
        }
    }
}

#endif
