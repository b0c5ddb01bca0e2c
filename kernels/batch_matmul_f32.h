/**
 * @file
 * @brief BATCH_MATMUL on float, in portable C.
 */
#ifndef TS_BATCH_MATMUL_F32_H
#define TS_BATCH_MATMUL_F32_H

#include <stdint.h>

/** Parameters of ts_batch_matmul_f32(). */
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
} ts_batch_matmul_f32_params;

/**
 * @brief One row of the first operand times one column of the second.
 * @param params steps
 * @param[in] row float, from its first factor on
 * @param[in] column float, from its first factor on
 */
static inline __attribute__((always_inline)) float
ts_batch_matmul_f32_element(const ts_batch_matmul_f32_params *params, const float *row,
                            const float *column)
{
    float sum = 0.0F;
    for (int32_t k = 0; k < params->depth; k++) {
        sum += row[k * params->first_depth_step] * column[k * params->second_depth_step];
    }
    return sum;
}

/**
 * @brief `output[..,m,n] = sum first[..,m,.] * second[..,.,n]`.
 *
 * Sums in order, which decides the last bit.
 *
 * @param params sizes and steps, a literal at the call so that the compiler specialises
 * @param[in] first float, a matrix for each batch
 * @param[in] second float, a matrix for each batch
 * @param[out] output float `[batch0, batch1, batch2, rows, columns]`, or with swapped last axes
 */
static inline __attribute__((always_inline)) void
ts_batch_matmul_f32(const ts_batch_matmul_f32_params *params, const float *first,
                    const float *second, float *output)
{
    for (int32_t b0 = 0; b0 < params->batch0; b0++) {
        for (int32_t b1 = 0; b1 < params->batch1; b1++) {
            for (int32_t b2 = 0; b2 < params->batch2; b2++) {
                const float *row = first + b0 * params->first_batch0_step +
                                   b1 * params->first_batch1_step + b2 * params->first_batch2_step;
                const float *matrix = second + b0 * params->second_batch0_step +
                                      b1 * params->second_batch1_step +
                                      b2 * params->second_batch2_step;
                for (int32_t m = 0; m < params->rows; m++) {
                    for (int32_t n = 0; n < params->columns; n++) {
                        output[m * params->row_step + n * params->column_step] =
                            ts_batch_matmul_f32_element(params, row,
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
