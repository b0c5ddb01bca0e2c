/**
 * @file
 * @brief QLINEAR_MUL on int8, in portable C.
 */
#ifndef TS_QLINEAR_MUL_S8_H
#define TS_QLINEAR_MUL_S8_H

#include <stdint.h>

#include "broadcast.h"
#include "float.h"
#include "quant.h"

/** Parameters of ts_qlinear_mul_s8(). */
typedef struct {
    int32_t size0;          /**< > 0, the outermost loop */
    int32_t size1;          /**< > 0 */
    int32_t size2;          /**< > 0 */
    int32_t size3;          /**< > 0, the row */
    int32_t input1_stride0; /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1; /**< elements, 0 or more */
    int32_t input1_stride2; /**< elements, 0 or more */
    int32_t input1_stride3; /**< 0 or 1 */
    int32_t input2_stride0; /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1; /**< elements, 0 or more */
    int32_t input2_stride2; /**< elements, 0 or more */
    int32_t input2_stride3; /**< 0 or 1 */
    int32_t input1_offset;  /**< -zero_point of the first operand, [-127, 128] */
    int32_t input2_offset;  /**< -zero_point of the second operand, [-127, 128] */
    float ratio;            /**< input scales over output scale, [0, 2^6) */
    int32_t zero_point;     /**< of the output, in the file, [-128, 255] */
    int32_t offset;         /**< what the output is more in the file, 0 or 128 */
} ts_qlinear_mul_s8_params;

/**
 * @brief `output = clamp(round(a * b * ratio + zero_point) - offset)`; shapes
 * broadcast.
 *
 * The product is scaled, then the zero point added, each rounded to float; the
 * result to even.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler
 * specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of
 * its shape
 */
static inline __attribute__((always_inline)) void
ts_qlinear_mul_s8(const ts_qlinear_mul_s8_params *params, const int8_t *input1,
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
            const int32_t product = (a + params->input1_offset) * (b + params->input2_offset);
            const float scaled = (float)product * params->ratio;
            const float total = scaled + (float)params->zero_point;
            const float bounded = ts_clamp_f32(total, -512.0F, 512.0F);
            *output++ = ts_offset_clamp_s8(ts_round_f32(bounded, 1), -params->offset, -128, 127);
        }
    }
}

#endif
