/**
 * @file
 * @brief CONV_2D on float32 with weights that are mostly zero.
 *
 * The outputs of a row are computed in tiles. What a tile's windows see is gathered, with the
 * padding, channel by channel: what windows side by side see of a channel lies side by side, too,
 * in a line of columns that are a stride apart. The non-zeros of a filter are listed once for the
 * whole tile, and each is multiplied by its inputs of up to TS_SPARSE_LANES windows.
 */
#ifndef TS_CONV_2D_SPARSE_F32_H
#define TS_CONV_2D_SPARSE_F32_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"
#include "sparse_f32.h"

/** Parameters of ts_conv_2d_sparse_f32(). */
typedef struct {
    int32_t batches;      /**< N, > 0 */
    int32_t input_h;      /**< H of the input, > 0 */
    int32_t input_w;      /**< W of the input, > 0 */
    int32_t input_c;      /**< C, > 0 */
    int32_t output_h;     /**< H of the output */
    int32_t output_w;     /**< W of the output */
    int32_t output_c;     /**< O, > 0 */
    int32_t filter_h;     /**< H of the filter, > 0 */
    int32_t filter_w;     /**< W of the filter, > 0 */
    int32_t stride_h;     /**< > 0 */
    int32_t stride_w;     /**< > 0 */
    int32_t dilation_h;   /**< > 0 */
    int32_t pad_top;      /**< rows of padding above the input, >= 0 */
    int32_t pad_left;     /**< columns of padding left of the input, >= 0 */
    int32_t is_backward;  /**< 1: from the last pixel to the first; else 0 */
    int32_t tile;         /**< outputs that are gathered for, > 0, divides output_w */
    int32_t lines;        /**< of a channel: the stride, or less if no window sees the others */
    int32_t line;         /**< columns of a line, > 0 */
    int32_t encoding;     /**< TS_SPARSE_CRS16, ... */
    int32_t count_step;   /**< 1: every filter has a count of its own; 0: one for all */
    int32_t list_length;  /**< the most values that a filter has */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
} ts_conv_2d_sparse_f32_params;

/** How inputs are gathered: `[rows, lines, channels, line]`. */
typedef struct {
    int32_t channels;
    int32_t step;  /**< from a window to the next */
    int32_t lines; /**< lines of a channel */
    int32_t line;  /**< columns of a line */
} ts_conv_2d_sparse_f32_lines;

/**
 * @brief Say where the inputs of the first window lie.
 * @param lines how they are gathered
 * @param rows of the window
 * @param columns of the window
 * @param[out] offsets uint16 `[rows, columns, channels]`
 */
static TS_SPARSE_SHARED void
ts_conv_2d_sparse_f32_offsets(const ts_conv_2d_sparse_f32_lines *lines, int32_t rows,
                              int32_t columns, uint16_t *offsets)
{
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j++) {
            const int32_t first = (i * lines->lines + j % lines->step) * lines->channels;
            for (int32_t c = 0; c < lines->channels; c++) {
                *offsets++ = (uint16_t)((first + c) * lines->line + j / lines->step);
            }
        }
    }
}

/**
 * @brief Copy a row of pixels to lines.
 * @param lines how they are gathered
 * @param[in] from the first pixel that is inside the image
 * @param inside columns that are; the others, before and behind, are padding
 * @param count columns
 * @param[out] to the row's lines
 */
static TS_SPARSE_SHARED void
ts_conv_2d_sparse_f32_gather(const ts_conv_2d_sparse_f32_lines *lines, const ts_float_bits *from,
                             ts_span inside, int32_t count, ts_float_bits *to)
{
    const int32_t line = lines->line;
    const int32_t size = lines->channels * line;
    for (int32_t phase = 0, turn = 0, x = 0; x < count; x++) {
        const bool is_inside = x >= inside.begin && x < inside.end;
        const ts_float_bits *pixel = from;
        ts_float_bits *column = to + phase * size + turn;
        const int32_t channels = phase < lines->lines ? lines->channels : 0;
        ts_float_bits *const end = column + channels * line;
        ts_float_bits *const fours_end = column + (channels & ~3) * line;
        for (; !is_inside && column != end; column += line) {
            column->bits = 0;
        }
        for (; is_inside && column != fours_end; pixel += 4) {
            const ts_float_bits a = pixel[0];
            const ts_float_bits b = pixel[1];
            const ts_float_bits c = pixel[2];
            const ts_float_bits d = pixel[3];
            column[0] = a;
            column[line] = b;
            column += 2 * line;
            column[0] = c;
            column[line] = d;
            column += 2 * line;
        }
        for (; column != end; column += line) {
            *column = *pixel++;
        }
        from += is_inside ? lines->channels : 0;
        if (++phase == lines->step) {
            phase = 0;
            turn++;
        }
    }
}

/** The range of an activation. */
typedef struct {
    float low;         /**< finite */
    float high;        /**< >= low, finite */
    uint32_t finite;   /**< twice the bits of infinity if only floats' own range or 0 limits */
    uint32_t negative; /**< bits that negative numbers lose then */
} ts_conv_2d_sparse_f32_range;

/** The range between two numbers. */
static inline ts_conv_2d_sparse_f32_range ts_conv_2d_sparse_f32_between(float low, float high)
{
    const float most = 0x1.fffffep127F;
    const bool is_open = high == most && (low == 0.0F || low == -most);
    return (ts_conv_2d_sparse_f32_range){low, high, is_open ? UINT32_C(0xFF000000) : 0,
                                         low == 0.0F ? UINT32_MAX : 0};
}

/**
 * @brief Limit outputs, and store them.
 *
 * To compare floats takes long. For most activations it does to look at the sign of a finite one.
 *
 * @param[in] sums `[count]`
 * @param count > 0
 * @param range of the activation
 * @param[out] output the first one's
 * @param step from an output to the next
 */
static TS_SPARSE_SHARED void ts_conv_2d_sparse_f32_store(const ts_float_bits *sums, int32_t count,
                                                         const ts_conv_2d_sparse_f32_range *range,
                                                         ts_float_bits *output, int32_t step)
{
    const uint32_t finite = range->finite;
    const uint32_t negative = range->negative;
    for (const ts_float_bits *const end = sums + count; sums != end; output += step) {
        const uint32_t sum = sums++->bits;
        output->bits = sum & ~((uint32_t)((int32_t)sum >> 31) & negative);
        if (sum << 1 >= finite) {
            output->value = ts_clamp_f32(sums[-1].value, range->low, range->high);
        }
    }
}

/**
 * @brief `output[n,y,x,o] = clamp(sum filter[o,i,j,c] * input[n,y',x',c] + bias[o])`.
 *
 * Here y' = y * stride_h - pad_top + i * dilation_h and x' = x * stride_w - pad_left + j. With an FPU
 * products are added in the order of the filter, the bias last; without, in blocks (block_f32.h).
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float32 `[N, H, W, C]`
 * @param[in] codes where the non-zeros of the filter `[O, H * W * C]` are, see sparse.h
 * @param[in] values the non-zeros
 * @param[in] counts codes of each filter, `[O]`, or of every one, `[1]`
 * @param[in] bias added to the sums `[O]`
 * @param[out] output float32 `[N, H, W, O]`, [activation_min, activation_max]
 * @param[out] scratch a list, `filter_h * lines * C * line + TS_SPARSE_LANES` numbers, and 16
 *             bits for each position of a filter
 */
static inline __attribute__((always_inline)) void
ts_conv_2d_sparse_f32(const ts_conv_2d_sparse_f32_params *params, const float *input,
                      const void *codes, const float *values, const uint16_t *counts,
                      const float *bias, float *output, uint8_t *scratch)
{
    const ts_float_bits *const inputs = (const ts_float_bits *)(const void *)input;
    ts_float_bits *const outputs = (ts_float_bits *)(void *)output;
    const ts_conv_2d_sparse_f32_range range =
        ts_conv_2d_sparse_f32_between(params->activation_min, params->activation_max);
    const ts_conv_2d_sparse_f32_lines lines = {params->input_c, params->stride_w, params->lines,
                                                params->line};
    const int32_t row_size = params->lines * params->input_c * params->line;
    const int32_t width = (params->tile - 1) * params->stride_w + params->filter_w;
    const int32_t row_tiles = params->output_w / params->tile;
    const int32_t image_tiles = params->output_h * row_tiles;
    ts_block_entry *const list = (ts_block_entry *)(void *)scratch;
    ts_float_bits *const gathered = (ts_float_bits *)(void *)(list + params->list_length);
    uint16_t *const offsets =
        (uint16_t *)(void *)(gathered + params->filter_h * row_size + TS_SPARSE_LANES);
    ts_conv_2d_sparse_f32_offsets(&lines, params->filter_h, params->filter_w, offsets);
    /* Of several lines the last places may be of no column: they must not be the largest. */
    for (int32_t i = 0; TS_SPARSE_HAS_BLOCKS && i < params->filter_h * row_size; i++) {
        gathered[i].bits = 0;
    }
    for (int32_t turn = 0; turn < params->batches * image_tiles; turn++) {
        const int32_t place = params->is_backward ? params->batches * image_tiles - 1 - turn : turn;
        const ts_float_bits *image =
            inputs + place / image_tiles * params->input_h * params->input_w * params->input_c;
        const int32_t y = place % image_tiles / row_tiles * params->stride_h - params->pad_top;
        const int32_t x = place % row_tiles * params->tile * params->stride_w - params->pad_left;
        for (int32_t i = 0; i < params->filter_h; i++) {
            const int32_t row = y + i * params->dilation_h;
            ts_span inside = ts_clip(x, width, 1, params->input_w);
            const ts_float_bits *from = image;
            if (row < 0 || row >= params->input_h || inside.begin >= inside.end) {
                inside.end = inside.begin;
            } else {
                from += (row * params->input_w + x + inside.begin) * params->input_c;
            }
            ts_conv_2d_sparse_f32_gather(&lines, from, inside, width, gathered + i * row_size);
        }
        const int32_t top = ts_sparse_fix_inputs_f32(gathered, params->filter_h * row_size);
        ts_sparse rest = {codes, values};
        for (int32_t o = 0; o < params->output_c; o++) {
            const ts_block_entry *const end = ts_sparse_entries_f32(
                params->encoding, &rest, counts[o * params->count_step], offsets, list);
            const int32_t exponent = ts_sparse_fix_list_f32(list, end, top);
            for (int32_t first = 0; first < params->tile; first += TS_SPARSE_LANES) {
                const int32_t left = params->tile - first;
                const int32_t lanes = left < TS_SPARSE_LANES ? left : TS_SPARSE_LANES;
                ts_float_bits sums[TS_SPARSE_LANES];
                ts_sparse_sums_f32(list, end, gathered + first, lanes, bias[o], exponent, sums);
                ts_conv_2d_sparse_f32_store(
                    sums, lanes, &range,
                    outputs + (place * params->tile + first) * params->output_c + o,
                    params->output_c);
            }
        }
    }
}

#endif
