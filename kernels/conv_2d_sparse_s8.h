/**
 * @file
 * @brief CONV_2D on int8 with weights that are mostly zero.
 *
 * The outputs of a row are computed in tiles. What a tile's windows see is gathered, with the
 * padding, channel by channel: what windows side by side see of a channel lies side by side, too,
 * in a line of columns that are a stride apart. The non-zeros of a filter are listed once for the
 * whole tile, and each is multiplied by its inputs of up to TS_SPARSE_LANES_S8 windows. Inputs are
 * 128 larger there: loads of bytes without a sign take an offset on every core.
 */
#ifndef TS_CONV_2D_SPARSE_S8_H
#define TS_CONV_2D_SPARSE_S8_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"
#include "sparse_s8.h"
#ifdef __ARM_FEATURE_DSP
#include "dsp.h"
#endif

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
    int32_t lines;          /**< of a channel: the stride, or less if no window sees the others */
    int32_t line;           /**< columns of a line, > 0 */
    int32_t line_taps;      /**< those of a line that a window sees, or would if it were wider */
    int32_t encoding;       /**< TS_SPARSE_CRS16, ... */
    int32_t count_step;     /**< 1: every filter has a count of its own; 0: one for all */
    int32_t list_length;    /**< the most values that a filter has */
    int32_t padding;        /**< zero_point of the input, [-128, 127] */
    int32_t output_offset;  /**< zero_point of the output, [-128, 127] */
    int32_t rounding;       /**< TS_ROUND_TWICE, TS_ROUND_ONCE or TS_ROUND_FLOAT */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_conv_2d_sparse_s8_params;

/** How inputs are gathered: `[rows, lines, channels, line]`. */
typedef struct {
    int32_t channels;
    int32_t step;    /**< from a window to the next */
    int32_t lines;   /**< lines of a channel */
    int32_t line;    /**< columns of a line */
    int32_t padding; /**< zero point plus 128 */
} ts_conv_2d_sparse_s8_lines;

/**
 * @brief Copy a row of pixels to lines, 128 larger.
 * @param lines how they are gathered
 * @param[in] from the first pixel that is inside the image
 * @param inside columns that are; the others, before and behind, are padding
 * @param count columns
 * @param[out] to the row's lines
 */
static TS_SPARSE_SHARED void
ts_conv_2d_sparse_s8_gather(const ts_conv_2d_sparse_s8_lines *lines, const int8_t *from,
                            ts_span inside, int32_t count, uint8_t *to)
{
    const int32_t line = lines->line;
    const int32_t size = lines->channels * line;
    const bool is_whole = ((lines->channels | (int32_t)((uintptr_t)from & 3)) & 3) == 0;
    for (int32_t phase = 0, turn = 0, x = 0; x < count; x++) {
        const bool is_inside = x >= inside.begin && x < inside.end;
        uint8_t *column = to + phase * size + turn;
        uint8_t *const end = column + (phase < lines->lines ? size : 0);
        for (; !is_inside && column != end; column += line) {
            *column = (uint8_t)lines->padding;
        }
        const int8_t *pixel = from;
        for (; is_whole && column != end; pixel += 4) {
            uint32_t word;
            __builtin_memcpy(&word, __builtin_assume_aligned(pixel, 4), sizeof word);
            word ^= UINT32_C(0x80808080);
            *column = (uint8_t)word;
            column += line;
            *column = (uint8_t)(word >> 8);
            column += line;
            *column = (uint8_t)(word >> 16);
            column += line;
            *column = (uint8_t)(word >> 24);
            column += line;
        }
        for (; column != end; column += line) {
            *column = (uint8_t)(*pixel++ ^ 0x80);
        }
        from += is_inside ? lines->channels : 0;
        if (++phase == lines->step) {
            phase = 0;
            turn++;
        }
    }
}

/** What becomes of a filter's sums. */
typedef struct {
    int32_t offset; /**< zero point of the output */
    int32_t low;    /**< [-128, 127] */
    int32_t high;   /**< [low, 127] */
} ts_conv_2d_sparse_s8_range;

#if defined(__ARM_FEATURE_DSP)

/** Multiplier and shift as ts_requantize_short() wants them. */
typedef struct {
    int32_t multiplier;
    int32_t power;
    bool is_exact;
} ts_conv_2d_sparse_s8_scale;

/** The scale of a channel. */
static inline ts_conv_2d_sparse_s8_scale ts_conv_2d_sparse_s8_prepare(const ts_channel *channel)
{
    const uint32_t power = UINT32_C(1) << ((32 + channel->shift) & 31);
    return (ts_conv_2d_sparse_s8_scale){
        ts_wrap_s32((uint32_t)channel->multiplier << 1),
        channel->multiplier == 0 ? 0 : ts_wrap_s32(power),
        channel->shift < -1,
    };
}

/** Whether ts_conv_2d_sparse_s8_scaled() gives the reference's bits. */
static inline bool ts_conv_2d_sparse_s8_is_exact(const ts_conv_2d_sparse_s8_scale *scale,
                                                 int32_t acc)
{
    (void)acc;
    return scale->is_exact;
}

/** `acc` requantized, and an offset. */
static inline int32_t ts_conv_2d_sparse_s8_scaled(const ts_conv_2d_sparse_s8_scale *scale,
                                                  int32_t acc, int32_t offset)
{
    return ts_requantize_short(acc, scale->multiplier, scale->power, offset, true);
}

#else

/**
 * `multiplier = 2^21 * first + 2^10 * second + third`, the last two around 0. With sums below
 * `limit` no product has more than 32 bits: Armv6-M has no longer ones.
 */
typedef struct {
    int32_t first;
    int32_t second;
    int32_t third;
    int32_t right;  /**< the shift */
    uint32_t limit; /**< 0: it is to the left */
} ts_conv_2d_sparse_s8_scale;

/** The scale of a channel. */
static inline ts_conv_2d_sparse_s8_scale ts_conv_2d_sparse_s8_prepare(const ts_channel *channel)
{
    const int32_t multiplier = channel->multiplier;
    const int32_t rest = (multiplier >> 10) + (multiplier >> 9 & 1);
    return (ts_conv_2d_sparse_s8_scale){
        (rest >> 11) + (rest >> 10 & 1),
        (rest & 2047) - ((rest & 1024) << 1),
        (multiplier & 1023) - ((multiplier & 512) << 1),
        -channel->shift,
        channel->shift < 0 ? UINT32_C(1) << 20 : 0,
    };
}

/** Whether ts_conv_2d_sparse_s8_scaled() gives the reference's bits. */
static inline bool ts_conv_2d_sparse_s8_is_exact(const ts_conv_2d_sparse_s8_scale *scale,
                                                 int32_t acc)
{
    return (uint32_t)acc + scale->limit < 2 * scale->limit;
}

/** `acc` requantized, and an offset. */
static inline int32_t ts_conv_2d_sparse_s8_scaled(const ts_conv_2d_sparse_s8_scale *scale,
                                                  int32_t acc, int32_t offset)
{
    const int32_t low = acc * scale->second + (acc * scale->third >> 10);
    const int32_t once = (acc * scale->first + (low >> 11) + (1 << 9)) >> 10;
    /* Halves away from zero: what is negative and less by one is rounded with halves up. */
    const int32_t doubled = (once + (once >> 31)) >> (scale->right - 1);
    return ((doubled + 1) >> 1) + offset;
}

#endif

/** ts_requantize(), seldom wanted, out of the way of the loop below. */
static TS_SPARSE_SHARED int32_t ts_conv_2d_sparse_s8_wide(int32_t acc, const ts_channel *channel)
{
    return ts_requantize(acc, channel->multiplier, channel->shift);
}

/**
 * @brief Requantize sums as TS_ROUND_TWICE, and store them.
 * @param[in] sums `[count]`
 * @param count > 0
 * @param channel theirs
 * @param range of the outputs
 * @param[out] output the first one's
 * @param step from an output to the next
 */
static TS_SPARSE_SHARED void ts_conv_2d_sparse_s8_store(const uint32_t *sums, int32_t count,
                                                        const ts_channel *channel,
                                                        const ts_conv_2d_sparse_s8_range *range,
                                                        int8_t *output, int32_t step)
{
    const ts_conv_2d_sparse_s8_range limits = *range;
    const ts_conv_2d_sparse_s8_scale scale = ts_conv_2d_sparse_s8_prepare(channel);
    for (const uint32_t *const end = sums + count; sums != end; output += step) {
        const int32_t acc = ts_wrap_s32(*sums++);
        int32_t value;
        if (ts_conv_2d_sparse_s8_is_exact(&scale, acc)) {
            value = ts_conv_2d_sparse_s8_scaled(&scale, acc, limits.offset);
        } else {
            value = ts_conv_2d_sparse_s8_wide(acc, channel) + limits.offset;
        }
        value = value < limits.low ? limits.low : value;
        *output = (int8_t)(value > limits.high ? limits.high : value);
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(requantize(bias[o] + sum filter[o,j,i,c] * input[n,y',x',c]) +
 * output_offset)`.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h and x' = x * stride_w - pad_left + j.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] codes where non-zeros of the filter `[O, H, lines, C, line_taps]` are, see sparse.h
 * @param[in] values the non-zeros
 * @param[in] counts codes of each filter, `[O]`, or of every one, `[1]`
 * @param[in] channels bias, with the offset of what is gathered in it, and requantization `[O]`
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch a list and its end, and `filter_h * lines * C * line + TS_SPARSE_LANES_S8`
 *             bytes
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_sparse_s8(const ts_conv_2d_sparse_s8_params *params, const int8_t *input,
                     const void *codes, const int8_t *values, const uint16_t *counts,
                     const ts_channel *channels, int8_t *output, uint8_t *scratch)
{
    uint32_t *const list = (uint32_t *)(void *)scratch;
    uint8_t *const gathered = scratch + 4 * (params->list_length + 1);
    const ts_conv_2d_sparse_s8_lines lines = {
        params->input_c, params->stride_w, params->lines, params->line, params->padding + 128,
    };
    const ts_conv_2d_sparse_s8_range range = {
        params->output_offset,
        params->activation_min,
        params->activation_max,
    };
    const ts_sparse_list_s8 listed = {
        list,
        (uint32_t)((65535 + params->line_taps) / params->line_taps),
        (uint32_t)(params->line - params->line_taps),
    };
    const int32_t row_size = params->lines * params->input_c * params->line;
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
            ts_conv_2d_sparse_s8_gather(&lines, from, inside, width, gathered + i * row_size);
        }
        ts_sparse rest = {codes, values};
        for (int32_t o = 0; o < params->output_c; o++) {
            ts_sparse_list(params->encoding, &rest, counts[o * params->count_step], listed);
            for (int32_t first = 0; first < params->tile; first += TS_SPARSE_LANES_S8) {
                const int32_t left = params->tile - first;
                const int32_t lanes = left < TS_SPARSE_LANES_S8 ? left : TS_SPARSE_LANES_S8;
                uint32_t sums[TS_SPARSE_LANES_S8];
                int8_t *pixel = output + (place * params->tile + first) * params->output_c + o;
                sums[0] = (uint32_t)channels[o].bias;
                ts_sparse_sums_s8(list, gathered + first, lanes, sums);
                if (params->rounding == TS_ROUND_TWICE) {
                    ts_conv_2d_sparse_s8_store(sums, lanes, &channels[o], &range, pixel,
                                               params->output_c);
                    continue;
                }
                for (int32_t i = 0; i < lanes; i++, pixel += params->output_c) {
                    *pixel = ts_offset_clamp_s8(
                        ts_requantize_as(ts_wrap_s32(sums[i]), channels[o].multiplier,
                                         channels[o].shift, params->rounding),
                        params->output_offset, params->activation_min, params->activation_max);
                }
            }
        }
    }
}

#endif
