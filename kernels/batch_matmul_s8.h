/**
 * @file
 * @brief BATCH_MATMUL on int8, in portable C.
 */
#ifndef TS_BATCH_MATMUL_S8_H
#define TS_BATCH_MATMUL_S8_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_batch_matmul_s8(). */
typedef struct {
    int32_t batch0;             /**< of the output, > 0 */
    int32_t batch1;             /**< of the output, > 0 */
    int32_t batch2;             /**< of the output, > 0 */
    int32_t rows;               /**< of the first operand, > 0 */
    int32_t columns;            /**< of the second operand, > 0 */
    int32_t depth;              /**< products to an element, > 0 */
    int32_t first_batch0_step;  /**< elements to the next matrix; 0 repeats the same */
    int32_t first_batch1_step;  /**< elements to the next matrix; 0 repeats the same */
    int32_t first_batch2_step;  /**< elements to the next matrix; 0 repeats the same */
    int32_t first_step;         /**< elements to the next row */
    int32_t first_depth_step;   /**< elements to the next factor */
    int32_t second_batch0_step; /**< elements to the next matrix; 0 repeats the same */
    int32_t second_batch1_step; /**< elements to the next matrix; 0 repeats the same */
    int32_t second_batch2_step; /**< elements to the next matrix; 0 repeats the same */
    int32_t second_step;        /**< elements to the next column */
    int32_t second_depth_step;  /**< elements to the next factor */
    int32_t row_step;           /**< elements of the output to the next row */
    int32_t column_step;        /**< elements of the output to the next column */
    int32_t first_offset;       /**< -zero_point of the first operand, [-127, 128] */
    int32_t second_offset;      /**< -zero_point of the second operand, [-127, 128] */
    int32_t output_offset;      /**< zero_point of the output, [-128, 127] */
    int32_t multiplier;         /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t shift;              /**< left if > 0, [-31, 30] */
} ts_batch_matmul_s8_params;

/**
 * @brief One row of the first operand times one column of the second.
 * @param params steps
 * @param[in] row int8, from its first factor on
 * @param[in] column int8, from its first factor on
 */
static inline __attribute__((always_inline)) int8_t
ts_batch_matmul_s8_element(const ts_batch_matmul_s8_params *params, const int8_t *row,
                           const int8_t *column)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < params->depth; k++) {
        const int32_t a = row[k * params->first_depth_step] + params->first_offset;
        const int32_t b = column[k * params->second_depth_step] + params->second_offset;
        sum += (uint32_t)(a * b);
    }
    const int32_t scaled = ts_requantize(ts_wrap_s32(sum), params->multiplier, params->shift);
    return ts_offset_clamp_s8(scaled, params->output_offset, -128, 127);
}

/**
 * @brief `output[..,m,n] = clamp(requantize(sum first[..,m,.] * second[..,.,n]) + output_offset)`.
 *
 * The offsets are added to the operands; sums are modulo 2^32.
 *
 * @param params sizes and steps, a literal at the call so that the compiler specialises
 * @param[in] first int8, a matrix for each batch, [-128, 127]
 * @param[in] second int8, a matrix for each batch, [-128, 127]
 * @param[out] output int8 `[batch0, batch1, batch2, rows, columns]`, or with swapped last axes,
 * [-128, 127]
 */
static inline __attribute__((always_inline)) void
ts_batch_matmul_s8(const ts_batch_matmul_s8_params *params, const int8_t *first,
                   const int8_t *second, int8_t *output)
{
    for (int32_t b0 = 0; b0 < params->batch0; b0++) {
        for (int32_t b1 = 0; b1 < params->batch1; b1++) {
            for (int32_t b2 = 0; b2 < params->batch2; b2++) {
                const int8_t *row = first + b0 * params->first_batch0_step +
                                    b1 * params->first_batch1_step + b2 * params->first_batch2_step;
                const int8_t *matrix = second + b0 * params->second_batch0_step +
                                       b1 * params->second_batch1_step +
                                       b2 * params->second_batch2_step;
                for (int32_t m = 0; m < params->rows; m++) {
                    for (int32_t n = 0; n < params->columns; n++) {
                        output[m * params->row_step + n * params->column_step] =
                            ts_batch_matmul_s8_element(params, row,
                                                       matrix + n * params->second_step);
                    }
                    row += params->first_step;
                }
                output += params->rows * params->columns;
            }
        }
    }
}

#endif
