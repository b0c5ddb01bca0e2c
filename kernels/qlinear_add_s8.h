/**
 * @file
 * @brief QLINEAR_ADD on int8, in portable C.
 */
#ifndef TS_QLINEAR_ADD_S8_H
#define TS_QLINEAR_ADD_S8_H

#include <stdint.h>

#include "broadcast.h"
#include "float.h"
#include "quant.h"

/** Parameters of ts_qlinear_add_s8(). */
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
    int32_t offset;         /**< what the operands are more in the file, 0 or 128 */
    float input1_ratio;     /**< scale of the first operand over the output's, [0, 2^12) */
    float input2_ratio;     /**< scale of the second operand over the output's, [0, 2^12) */
    float fixed;            /**< what the zero points come to */
    int32_t input1_last;    /**< 1 if the first operand is added last */
} ts_qlinear_add_s8_params;

/**
 * @brief `a * b + c`, rounded once; the product of a byte is exact in double.
 * @param a [-128, 255]
 * @param b any
 * @param c any
 */
static inline float ts_qlinear_add_s8_fused(int32_t a, float b, float c)
{
#ifdef __FP_FAST_FMAF
    return __builtin_fmaf((float)a, b, c);
#else
    return (float)((double)a * (double)b + (double)c);
#endif
}

/**
 * @brief `output = clamp(round(p * p_ratio + (q * q_ratio + fixed)) - offset)`;
 * shapes broadcast.
 *
 * p is the operand that is added last, q the other, both `offset` more than
 * they stand here. Both sums are rounded once, to even as the result is.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler
 * specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of
 * its shape
 */
static inline __attribute__((always_inline)) void
ts_qlinear_add_s8(const ts_qlinear_add_s8_params *params, const int8_t *input1,
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
            const int32_t in_file1 = a + params->offset;
            const int32_t in_file2 = b + params->offset;
            const float first =
                params->input1_last
                    ? ts_qlinear_add_s8_fused(in_file2, params->input2_ratio, params->fixed)
                    : ts_qlinear_add_s8_fused(in_file1, params->input1_ratio, params->fixed);
            const float total =
                params->input1_last
                    ? ts_qlinear_add_s8_fused(in_file1, params->input1_ratio, first)
                    : ts_qlinear_add_s8_fused(in_file2, params->input2_ratio, first);
            const float bounded = ts_clamp_f32(total, -512.0F, 512.0F);
            *output++ = ts_offset_clamp_s8(ts_round_f32(bounded, 1), -params->offset, -128, 127);
        }
    }
}

#endif
