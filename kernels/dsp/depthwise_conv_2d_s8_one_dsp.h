/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 whose filter covers the whole image, for cores with DSP.
 */
#ifndef TS_DEPTHWISE_CONV_2D_S8_ONE_DSP_H
#define TS_DEPTHWISE_CONV_2D_S8_ONE_DSP_H

#include <stdbool.h>
#include <stdint.h>

#include "dsp.h"
#include "quant.h"

/** Parameters of ts_depthwise_conv_2d_s8_one_dsp(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t pixels;         /**< H * W of the input and of the filter, > 0 */
    int32_t channels;       /**< C, >= 4 */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t has_sign;       /**< 1: negative sums must be rounded away from zero; else 0 */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_depthwise_conv_2d_s8_one_dsp_params;

/** Words of a group of four channels before its weights: biases, multipliers, powers. */
enum { TS_DEPTHWISE_ONE_NUMBERS = 12 };

/**
 * @brief Add the products of two pixels' four channels to their sums.
 * @param x0 a word of the first pixel
 * @param x1 a word of the second pixel
 * @param[in] weights two words, channels 0 and 1, then 2 and 3: bytes of the first pixel's
 * channels, then of the second's
 * @param[in,out] sums of four channels
 */
static inline __attribute__((always_inline)) void
ts_depthwise_one_pair(uint32_t x0, uint32_t x1, const int32_t *weights, int32_t *sums)
{
    const uint32_t low = ts_low_halves(x0, x1);
    const uint32_t high = ts_high_halves(x0, x1);
    const uint32_t w01 = (uint32_t)weights[0];
    const uint32_t w23 = (uint32_t)weights[1];
    sums[0] = __smlad((int32_t)ts_even_bytes(low), (int32_t)ts_even_bytes(w01), sums[0]);
    sums[1] = __smlad((int32_t)ts_odd_bytes(low), (int32_t)ts_odd_bytes(w01), sums[1]);
    sums[2] = __smlad((int32_t)ts_even_bytes(high), (int32_t)ts_even_bytes(w23), sums[2]);
    sums[3] = __smlad((int32_t)ts_odd_bytes(high), (int32_t)ts_odd_bytes(w23), sums[3]);
}

/**
 * @brief `output[n,c] = clamp(requantize(bias[c] + sum filter[i,c] * input[n,i,c]))` over the
 * pixels i of an image.
 *
 * The output may be where the input is: a channel is written when it has been read.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H * W, C]`, [-128, 127]
 * @param[in] weights int32, for every four channels, the last ones again if C is no multiple of 4:
 * four biases, multipliers and powers (ts_requantize_short()), then two words for two pixels
 * @param[out] output int8 `[N, C]`, [activation_min, activation_max]
 */
static inline __attribute__((always_inline)) void
ts_depthwise_conv_2d_s8_one_dsp(const ts_depthwise_conv_2d_s8_one_dsp_params *params,
                                const int8_t *input, const int32_t *weights, int8_t *output)
{
    const int32_t step = params->channels;
    for (int32_t n = 0; n < params->batches; n++) {
        const int32_t *group = weights;
        for (int32_t channel = 0; channel < params->channels; channel += 4) {
            const int32_t last = params->channels - 4;
            const int32_t first = channel < last ? channel : last;
            const int8_t *pixel = input + first;
            const int32_t *next = group + TS_DEPTHWISE_ONE_NUMBERS;
            int32_t sums[4] = {group[0], group[1], group[2], group[3]};
            for (int32_t left = params->pixels / 2; left > 0; left--) {
                ts_depthwise_one_pair(ts_load_word(pixel), ts_load_word(pixel + step), next, sums);
                pixel += 2 * step;
                next += 2;
            }
            if (params->pixels % 2) {
                /* The last pixel stands alone; its neighbour's weights are 0. */
                const uint32_t word = ts_load_word(pixel);
                ts_depthwise_one_pair(word, word, next, sums);
                next += 2;
            }
            for (int32_t k = 0; k < 4; k++) {
                const int32_t scaled =
                    ts_requantize_short(sums[k], group[4 + k], group[8 + k],
                                        params->output_offset, params->has_sign);
                if (first + k >= channel) {
                    output[first + k] =
                        ts_clamp_s8(scaled, params->activation_min, params->activation_max);
                }
            }
            group = next;
        }
        input += params->pixels * step;
        output += step;
    }
}

#endif
