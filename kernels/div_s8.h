/**
 * @file
 * @brief DIV on int8, in portable C.
 */
#ifndef TS_DIV_S8_H
#define TS_DIV_S8_H

#include <stdint.h>

#include "broadcast.h"
#include "quant.h"

/** Parameters of ts_div_s8(). */
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
    int32_t is_reversed;       /**< 1 if input1 is the operator's second operand */
    int32_t input1_offset;     /**< -zero_point, [-127, 128] */
    int32_t input2_offset;     /**< -zero_point, [-127, 128] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< Q0.31, [2^30, 2^31) or 0 */
    int32_t output_shift;      /**< left if > 0, [-31, 22] */
    int32_t activation_min;    /**< [-128, 127] */
    int32_t activation_max;    /**< at least activation_min */
} ts_div_s8_params;

/**
 * @brief `x / y` on the output's scale, by a reciprocal; 0 if y is 0.
 *
 * x is raised as far as its sign allows, which leaves a quotient of 23 bits or more.
 *
 * @param params scales
 * @param x [-255, 255]
 * @param y [-255, 255]
 * @param[in] reciprocals int32 `[256]`, Q0.31: `2^bits / |y|`
 */
static inline int32_t ts_div_s8_quotient(const ts_div_s8_params *params, int32_t x, int32_t y,
                                         const int32_t *reciprocals)
{
    if (y == 0) {
        return 0;
    }
    const int32_t dividend = y < 0 ? -x : x;
    const int32_t divisor = y < 0 ? -y : y;
    const int32_t headroom =
        __builtin_clz((uint32_t)(dividend < 0 ? ~dividend : dividend) << 1 | 1U);
    const int32_t raised = ts_wrap_s32((uint32_t)dividend << headroom);
    const int32_t quotient = ts_high_mul(raised, reciprocals[divisor]);
    const int32_t right = headroom + 31 - __builtin_clz((uint32_t)divisor) - params->output_shift;
    const int32_t scaled = ts_high_mul(quotient, params->output_multiplier);
    return right > 31 ? 0 : ts_rounding_shift_right(scaled, right);
}

/**
 * @brief `output = clamp((a + offset1) / (b + offset2) + offset)`; shapes broadcast.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[in] reciprocals int32 `[256]`, of ts_div_s8_quotient()
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void
ts_div_s8(const ts_div_s8_params *params, const int8_t *input1, const int8_t *input2,
          const int32_t *reciprocals, int8_t *output)
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
            const int32_t y = b + params->input2_offset;
            const int32_t quotient = params->is_reversed
                                         ? ts_div_s8_quotient(params, y, x, reciprocals)
                                         : ts_div_s8_quotient(params, x, y, reciprocals);
            *output++ = ts_offset_clamp_s8(quotient, params->output_offset, params->activation_min,
                                           params->activation_max);
        }
    }
}

#endif
