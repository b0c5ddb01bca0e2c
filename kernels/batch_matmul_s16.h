/**
 * @file
 * @brief BATCH_MATMUL on int16, in portable C.
 */
#ifndef TS_BATCH_MATMUL_S16_H
#define TS_BATCH_MATMUL_S16_H

#include <stdint.h>

#include "quant.h"

/** Parameters of ts_batch_matmul_s16(). */
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
    int32_t multiplier;         /**< Q0.15, [2^14, 2^15) or 0 */
    int32_t shift;              /**< left if > 0, [-31, 7] */
} ts_batch_matmul_s16_params;

/**
 * @brief One row of the first operand times one column of the second.
 * @param params steps
 * @param[in] row int16, from its first factor on
 * @param[in] column int16, from its first factor on
 */
static inline __attribute__((always_inline)) int16_t
ts_batch_matmul_s16_element(const ts_batch_matmul_s16_params *params, const int16_t *row,
                            const int16_t *column)
{
    int64_t sum = 0; /* below 2^46: depth is at most 2^16 */
    for (int32_t k = 0; k < params->depth; k++) {
        const int32_t a = row[k * params->first_depth_step];
        const int32_t b = column[k * params->second_depth_step];
        sum += a * b;
    }
    const int32_t right = 15 - params->shift;
    const int64_t scaled = (sum * params->multiplier + (INT64_C(1) << (right - 1))) >> right;
    const int32_t wrapped = ts_wrap_s32((uint32_t)scaled);
    return (int16_t)(wrapped < INT16_MIN ? INT16_MIN : wrapped > INT16_MAX ? INT16_MAX : wrapped);
}

/**
 * @brief `output[..,m,n] = clamp(requantize(sum first[..,m,.] * second[..,.,n]))`.
 *
 * Sums have 64 bits and are scaled with 15 bits of the multiplier, rounded once, halves up.
 *
 * @param params sizes and steps, a literal at the call so that the compiler specialises
 * @param[in] first int16, a matrix for each batch, [-32768, 32767]
 * @param[in] second int16, a matrix for each batch, [-32768, 32767]
 * @param[out] output int16 `[batch0, batch1, batch2, rows, columns]`, or with swapped last axes,
 * [-32768, 32767]
 */
static inline __attribute__((always_inline)) void
ts_batch_matmul_s16(const ts_batch_matmul_s16_params *params, const int16_t *first,
                    const int16_t *second, int16_t *output)
{
    for (int32_t b0 = 0; b0 < params->batch0; b0++) {
        for (int32_t b1 = 0; b1 < params->batch1; b1++) {
            for (int32_t b2 = 0; b2 < params->batch2; b2++) {
                const int16_t *row = first + b0 * params->first_batch0_step +
                                     b1 * params->first_batch1_step +
                                     b2 * params->first_batch2_step;
                const int16_t *matrix = second + b0 * params->second_batch0_step +
                                        b1 * params->second_batch1_step +
                                        b2 * params->second_batch2_step;
                for (int32_t m = 0; m < params->rows; m++) {
                    for (int32_t n = 0; n < params->columns; n++) {
                        output[m * params->row_step + n * params->column_step] =
                            ts_batch_matmul_s16_element(params, row,
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
