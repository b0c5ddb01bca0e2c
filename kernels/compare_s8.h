/**
 * @file
 * @brief Comparisons on int8, in portable C.
 */
#ifndef TS_COMPARE_S8_H
#define TS_COMPARE_S8_H

#include <stdint.h>

#include "broadcast.h"
#include "quant.h"
#include "relation.h"

/** Parameters of ts_compare_s8(). */
typedef struct {
    int32_t size0;             /**< > 0, the outermost loop */
    int32_t size1;             /**< > 0 */
    int32_t size2;             /**< > 0 */
    int32_t size3;             /**< > 0, the row */
    int32_t input1_stride0;    /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1;    /**< elements, 0 or more */
    int32_t input1_stride2;    /**< elements, 0 or more */
    int32_t input1_stride3;    /**< 0 or 1 */
    int32_t input2_stride0;    /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1;    /**< elements, 0 or more */
    int32_t input2_stride2;    /**< elements, 0 or more */
    int32_t input2_stride3;    /**< 0 or 1 */
    int32_t relation;          /**< a TS_RELATION_ number */
    int32_t input1_offset;     /**< -zero_point, [-127, 128] */
    int32_t input1_multiplier; /**< Q0.31, [2^30, 2^31) or 0; with its shift below 1 */
    int32_t input1_shift;      /**< [-31, 0] */
    int32_t input2_offset;     /**< -zero_point, [-127, 128] */
    int32_t input2_multiplier; /**< Q0.31, [2^30, 2^31) or 0; with its shift below 1 */
    int32_t input2_shift;      /**< [-31, 0] */
} ts_compare_s8_params;

/** An operand's real number, in steps of 1/256. */
static inline int32_t ts_compare_s8_rescale(int32_t value, int32_t multiplier, int32_t shift)
{
    return ts_requantize(value * (1 << 8), multiplier, shift);
}

/**
 * @brief `output = rescale(a) relation rescale(b)`; shapes broadcast.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output bool `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void ts_compare_s8(const ts_compare_s8_params *params,
                                                                const int8_t *input1,
                                                                const int8_t *input2, bool *output)
{
    TS_FOR_EACH_ROW (params) {
        const int8_t *const row1 = input1 + TS_ROW(params, input1);
        const int8_t *const row2 = input2 + TS_ROW(params, input2);
        const int8_t first1 = *row1;
        const int8_t first2 = *row2;
        for (int32_t i = 0; i < params->size3; i++) {
            const int8_t a = params->input1_stride3 ? row1[i] : first1;
            const int8_t b = params->input2_stride3 ? row2[i] : first2;
            const int32_t x = ts_compare_s8_rescale(
                a + params->input1_offset, params->input1_multiplier, params->input1_shift);
            const int32_t y = ts_compare_s8_rescale(
                b + params->input2_offset, params->input2_multiplier, params->input2_shift);
            *output++ = TS_RELATED(x, y, params->relation);
        }
    }
}

#endif
