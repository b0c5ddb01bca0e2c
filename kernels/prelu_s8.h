/**
 * @file
 * @brief PRELU on int8, in portable C.
 */
#ifndef TS_PRELU_S8_H
#define TS_PRELU_S8_H

#include <stdint.h>

#include "broadcast.h"
#include "quant.h"

/** Parameters of ts_prelu_s8(). */
typedef struct {
    int32_t size0;               /**< > 0, the outermost loop */
    int32_t size1;               /**< > 0 */
    int32_t size2;               /**< > 0 */
    int32_t size3;               /**< > 0, the row */
    int32_t input1_stride0;      /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1;      /**< elements, 0 or more */
    int32_t input1_stride2;      /**< elements, 0 or more */
    int32_t input1_stride3;      /**< 0 or 1 */
    int32_t input2_stride0;      /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1;      /**< elements, 0 or more */
    int32_t input2_stride2;      /**< elements, 0 or more */
    int32_t input2_stride3;      /**< 0 or 1 */
    int32_t input1_offset;       /**< -zero_point, [-127, 128] */
    int32_t input2_offset;       /**< -zero_point of the slopes, [-127, 128] */
    int32_t output_offset;       /**< zero_point of the output, [-128, 127] */
    int32_t identity_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t identity_shift;      /**< left if > 0, [-31, 30] */
    int32_t alpha_multiplier;    /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t alpha_shift;         /**< left if > 0, [-31, 30] */
} ts_prelu_s8_params;

/**
 * @brief `output = clamp(requantize(a >= 0 ? a : a * b) + offset)`; shapes broadcast.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void ts_prelu_s8(const ts_prelu_s8_params *params,
                                                              const int8_t *input1,
                                                              const int8_t *input2, int8_t *output)
{
    TS_FOR_EACH_ROW (params) {
        const int8_t *const row1 = input1 + TS_ROW(params, input1);
        const int8_t *const row2 = input2 + TS_ROW(params, input2);
        const int8_t first1 = *row1;
        const int8_t first2 = *row2;
        for (int32_t i = 0; i < params->size3; i++) {
            const int8_t a = params->input1_stride3 ? row1[i] : first1;
            const int8_t b = params->input2_stride3 ? row2[i] : first2;
            const int32_t x = a + params->input1_offset;
            const int32_t scaled =
                x >= 0 ? ts_requantize(x, params->identity_multiplier, params->identity_shift)
                       : ts_requantize(x * (b + params->input2_offset), params->alpha_multiplier,
                                       params->alpha_shift);
            *output++ = ts_offset_clamp_s8(scaled, params->output_offset, -128, 127);
        }
    }
}

#endif
