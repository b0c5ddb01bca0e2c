/**
 * @file
 * @brief AVERAGE_POOL_2D on int8 for cores with DSP instructions: sums of two channels a word.
 */
#ifndef TS_AVERAGE_POOL_2D_DSP_H
#define TS_AVERAGE_POOL_2D_DSP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dsp.h"
#include "quant.h"

/** Bytes 0 and 2 added to a pair of 16-bit sums. */
static inline uint32_t ts_add_even_bytes(uint32_t sums, uint32_t word)
{
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(word));
    return result;
}

/** Bytes 1 and 3 added to a pair of 16-bit sums. */
static inline uint32_t ts_add_odd_bytes(uint32_t sums, uint32_t word)
{
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(word));
    return result;
}

/** Parameters of ts_average_pool_2d_dsp(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t channels;       /**< C, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t filter_h;       /**< H of the window, > 0 */
    int32_t filter_w;       /**< W of the window, > 0; with filter_h at most 256 positions */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, [0, filter_h) */
    int32_t pad_left;       /**< columns of padding left of the input, [0, filter_w) */
    int32_t count;          /**< what sums are divided by; 0: by the positions inside the input */
    int32_t padding_value;  /**< what each position in the padding adds if `count` is not 0 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_average_pool_2d_dsp_params;

/** A window inside the input, and how its sums become means. */
typedef struct {
    int32_t rows;        /**< > 0 */
    int32_t columns;     /**< > 0 */
    int32_t channels;    /**< bytes from one column to the next */
    int32_t row_bytes;   /**< from one row to the next */
    int32_t padding;     /**< what positions in the padding add to a sum */
    int32_t start;       /**< added behind: keeps sums positive, rounds them to nearest */
    int32_t is_even;     /**< -1 if the count is, which makes halves possible; else 0 */
    uint32_t reciprocal; /**< 2^31 / count, rounded up */
    int32_t low;         /**< activation_min */
    int32_t high;        /**< activation_max */
} ts_average_pool_2d_dsp_window;

/**
 * @brief Mean of a sum, halves away from zero.
 *
 * Sums are made positive by 128 times the count, so that they can be divided by a multiplication;
 * with at most 256 positions it never is off by a whole. A half below zero loses one in advance.
 *
 * @param window what to divide by
 * @param sum of the positions inside the input, [-32768, 32512]
 */
static inline __attribute__((always_inline)) int8_t
ts_average_pool_2d_dsp_mean(const ts_average_pool_2d_dsp_window *window, int32_t sum)
{
    const int32_t total = sum + window->padding;
    const int32_t positive = total + (total >> 31 & window->is_even) + window->start;
    const uint64_t product = (uint64_t)((uint32_t)positive * 2) * window->reciprocal;
    return ts_clamp_s8((int32_t)(product >> 32) - 128, window->low, window->high);
}

/**
 * @brief Means of all channels in one window.
 *
 * A channel's outputs are written behind its reads, and channels go in order: what the output may
 * lie over is the same as for one channel at a time.
 *
 * @param place geometry and divisor
 * @param[in] first int8, where the window begins
 * @param[out] output int8 `[channels]`
 */
static __attribute__((noinline)) void
ts_average_pool_2d_dsp_means(const ts_average_pool_2d_dsp_window *place, const int8_t *first,
                             int8_t *output)
{
    const ts_average_pool_2d_dsp_window window = *place; /* no output lies over this one */
    const int32_t channels = window.channels;
    const int32_t columns_bytes = window.columns * channels;
    int32_t c = 0;
    for (; c + 8 <= channels; c += 8) {
        uint32_t even[2] = {0, 0};
        uint32_t odd[2] = {0, 0};
        const int8_t *row = first + c;
        for (int32_t i = 0; i < window.rows; i++) {
            const int8_t *const end = row + columns_bytes;
            for (const int8_t *pixel = row; pixel != end; pixel += channels) {
                const uint32_t a = ts_load_word(pixel);
                const uint32_t b = ts_load_word(pixel + 4);
                even[0] = ts_add_even_bytes(even[0], a);
                odd[0] = ts_add_odd_bytes(odd[0], a);
                even[1] = ts_add_even_bytes(even[1], b);
                odd[1] = ts_add_odd_bytes(odd[1], b);
            }
            row += window.row_bytes;
        }
        const uint32_t pairs[4] = {
            ts_low_halves(even[0], odd[0]),
            ts_high_halves(even[0], odd[0]),
            ts_low_halves(even[1], odd[1]),
            ts_high_halves(even[1], odd[1]),
        };
        int16_t sums[8];
        memcpy(sums, pairs, sizeof sums);
        for (int32_t i = 0; i < 8; i++) {
            output[c + i] = ts_average_pool_2d_dsp_mean(&window, sums[i]);
        }
    }
    for (; c < channels; c++) {
        int32_t sum = 0;
        const int8_t *row = first + c;
        for (int32_t i = 0; i < window.rows; i++) {
            for (int32_t at = 0; at < columns_bytes; at += channels) {
                sum += row[at];
            }
            row += window.row_bytes;
        }
        output[c] = ts_average_pool_2d_dsp_mean(&window, sum);
    }
}

/**
 * @brief `output[n,y,x,c] = clamp(round(mean of the window))`, as ts_average_pool_2d_s8().
 * @param params sizes and range, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[out] output int8 `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_average_pool_2d_dsp(const ts_average_pool_2d_dsp_params *params, const int8_t *input,
                       int8_t *output)
{
    const int32_t row_bytes = params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *const image = input + n * params->input_h * row_bytes;
        for (int32_t y = 0; y < params->output_h; y++) {
            const ts_span rows = ts_clip(y * params->stride_h - params->pad_top, params->filter_h,
                                         1, params->input_h);
            for (int32_t x = 0; x < params->output_w; x++) {
                const ts_span columns = ts_clip(x * params->stride_w - params->pad_left,
                                                params->filter_w, 1, params->input_w);
                const int32_t height = rows.end - rows.begin;
                const int32_t width = columns.end - columns.begin;
                const int32_t inside = height * width;
                const int32_t count = params->count > 0 ? params->count : inside;
                const bool is_whole = width == params->input_w;
                const ts_average_pool_2d_dsp_window window = {
                    .rows = is_whole ? 1 : height, /* whole rows are one long one */
                    .columns = is_whole ? inside : width,
                    .channels = params->channels,
                    .row_bytes = row_bytes,
                    .padding = (count - inside) * params->padding_value,
                    .start = 128 * count + count / 2,
                    .is_even = (count & 1) - 1,
                    .reciprocal = (UINT32_C(0x80000000) + (uint32_t)count - 1) / (uint32_t)count,
                    .low = params->activation_min,
                    .high = params->activation_max,
                };
                ts_average_pool_2d_dsp_means(&window,
                                             image + (rows.origin + rows.begin) * row_bytes +
                                                 (columns.origin + columns.begin) *
                                                     params->channels,
                                             output);
                output += params->channels;
            }
        }
    }
}

#endif
