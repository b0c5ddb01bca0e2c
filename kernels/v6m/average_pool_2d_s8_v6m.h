/**
 * @file
 * @brief AVERAGE_POOL_2D on int8 with whole words of channels, for Armv6-M.
 *
 * Four channels are a word. Less -128 its bytes are not negative, and two of them are summed at a
 * time in the halves of a word: up to 257 of a window, then a half is full.
 */
#ifndef TS_AVERAGE_POOL_2D_S8_V6M_H
#define TS_AVERAGE_POOL_2D_S8_V6M_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_average_pool_2d_s8_v6m(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t input_h;        /**< H of the input, > 0 */
    int32_t input_w;        /**< W of the input, > 0 */
    int32_t channels;       /**< C, a multiple of 4, > 0 */
    int32_t output_h;       /**< H of the output */
    int32_t output_w;       /**< W of the output */
    int32_t filter_h;       /**< H of the window, > 0 */
    int32_t filter_w;       /**< W of the window, > 0; at most 257 positions */
    int32_t stride_h;       /**< > 0 */
    int32_t stride_w;       /**< > 0 */
    int32_t pad_top;        /**< rows of padding above the input, [0, filter_h) */
    int32_t pad_left;       /**< columns of padding left of the input, [0, filter_w) */
    int32_t count;          /**< what sums are divided by; 0: by the positions inside the input */
    int32_t padding_value;  /**< what each position in the padding adds if `count` is not 0 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_average_pool_2d_s8_v6m_params;

/** Four channels of a pixel. */
typedef uint32_t __attribute__((may_alias)) ts_average_pool_2d_s8_v6m_word;

/**
 * @brief Sum four channels of a window.
 * @param[in] input the window's first pixel
 * @param rows of the window, > 0
 * @param columns of the window, > 0; 257 pixels at most
 * @param row_bytes from one row to the next
 * @param pixel_bytes from one pixel to the next
 * @param[out] sums by channel, each byte taken as 128 more than it is
 */
static __attribute__((noinline)) void
ts_average_pool_2d_s8_v6m_sum(const int8_t *input, int32_t rows, int32_t columns,
                              int32_t row_bytes, int32_t pixel_bytes, uint16_t *sums)
{
    uint32_t even = 0;
    uint32_t odd = 0;
    do {
        const int8_t *pixel = input;
        /* Registers that gcc may use with -Os, too. */
        register const int8_t *end __asm__("r12") = input + columns * pixel_bytes;
        register int32_t step __asm__("lr") = pixel_bytes;
        __asm__ volatile(".syntax unified\n"
                         "1: ldr r4, [%[pixel]]\n"
                         "add %[pixel], %[step]\n"
                         "eors r4, %[signs]\n"
                         "movs r5, r4\n"
                         "ands r5, %[mask]\n"
                         "adds %[even], r5\n"
                         "lsrs r4, r4, #8\n"
                         "ands r4, %[mask]\n"
                         "adds %[odd], r4\n"
                         "cmp %[pixel], %[end]\n"
                         "bne 1b\n"
                         : [pixel] "+l"(pixel), [even] "+l"(even), [odd] "+l"(odd)
                         : [step] "r"(step), [end] "r"(end), [mask] "l"(0x00FF00FFU),
                           [signs] "l"(0x80808080U)
                         : "r4", "r5", "memory", "cc");
        input += row_bytes;
        rows--;
    } while (rows > 0);
    sums[0] = (uint16_t)even;
    sums[1] = (uint16_t)odd;
    sums[2] = (uint16_t)(even >> 16);
    sums[3] = (uint16_t)(odd >> 16);
}

/**
 * @brief What ts_average_pool_2d_s8() computes.
 * @param params sizes and range, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]; at a multiple of 4
 * @param[out] output int8 `[N, H, W, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_average_pool_2d_s8_v6m(const ts_average_pool_2d_s8_v6m_params *params, const int8_t *input,
                          int8_t *output)
{
    const int32_t row_bytes = params->input_w * params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
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
                const int32_t added = (count - inside) * params->padding_value - 128 * inside;
                const int8_t *window = input + (rows.origin + rows.begin) * row_bytes +
                                       (columns.origin + columns.begin) * params->channels;
                for (int32_t c = 0; c < params->channels; c += 4) {
                    uint16_t sums[4];
                    ts_average_pool_2d_s8_v6m_sum(window + c, height, width, row_bytes,
                                                  params->channels, sums);
                    for (int32_t k = 0; k < 4; k++) {
                        const int32_t sum = sums[k] + added;
                        const int32_t half = count / 2;
                        const int32_t mean = (sum > 0 ? sum + half : sum - half) / count;
                        *output++ =
                            ts_clamp_s8(mean, params->activation_min, params->activation_max);
                    }
                }
            }
        }
        input += params->input_h * row_bytes;
    }
}

#endif
