/**
 * @file
 * @brief ADD and SUB on int8 for cores with DSP instructions, rounded as often as the reference.
 *
 * Where no numbers were found with which ts_add_dsp() gives the same.
 */
#ifndef TS_ADD_EXACT_DSP_H
#define TS_ADD_EXACT_DSP_H

#include <stdbool.h>
#include <stdint.h>

#include "broadcast.h"
#include "dsp.h"
#include "quant.h"

/** Parameters of ts_add_exact_dsp(). */
typedef struct {
    int32_t size0;             /**< > 0, the outermost loop */
    int32_t size1;             /**< > 0 */
    int32_t size2;             /**< > 0 */
    int32_t size3;             /**< > 0, the row */
    int32_t input1_stride0;    /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1;    /**< elements, 0 or more */
    int32_t input1_stride2;    /**< elements, 0 or more */
    int32_t input2_stride0;    /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1;    /**< elements, 0 or more */
    int32_t input2_stride2;    /**< elements, 0 or more */
    int32_t input1_sign;       /**< 1 or -1 */
    int32_t input2_sign;       /**< 1 or -1 */
    int32_t input1_offset;     /**< -zero_point, [-127, 128] */
    int32_t input1_multiplier; /**< `2 * m - 2^32` of the Q0.31 multiplier m */
    int32_t input1_right;      /**< shift to the right, [0, 30] */
    int32_t input2_offset;     /**< -zero_point, [-127, 128] */
    int32_t input2_multiplier; /**< `2 * m - 2^32` of the Q0.31 multiplier m */
    int32_t input2_right;      /**< shift to the right, [0, 30] */
    int32_t output_offset;     /**< zero_point of the output, [-128, 127] */
    int32_t output_multiplier; /**< see ts_requantize_short() */
    int32_t output_power;      /**< see ts_requantize_short() */
    int32_t activation_min;    /**< [-128, 127] */
    int32_t activation_max;    /**< at least activation_min */
} ts_add_exact_dsp_params;

/** An operand in the common scale, as ts_add_s8_rescale() has it. */
static inline __attribute__((always_inline)) int32_t
ts_add_exact_dsp_rescale(int32_t value, int32_t offset, int32_t multiplier, int32_t right)
{
    const int32_t raised = value * (1 << 20) + offset * (1 << 20);
    const int32_t scaled = ts_high_mul_add(raised, multiplier, raised);
    return right == 0 ? scaled
                      : (scaled + (scaled >> 31) + (1 << (right > 0 ? right - 1 : 0))) >> right;
}

/**
 * @brief ts_add_s8() of operands that both move along the rows.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 int8, its strides say how much
 * @param[in] input2 int8, its strides say how much
 * @param[out] output int8 `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void
ts_add_exact_dsp(const ts_add_exact_dsp_params *params, const int8_t *input1, const int8_t *input2,
                 int8_t *output)
{
    const bool has_sign = params->activation_min < params->output_offset;
    TS_FOR_EACH_ROW (params) {
        const int8_t *const row1 = input1 + TS_ROW(params, input1);
        const int8_t *const row2 = input2 + TS_ROW(params, input2);
        for (int32_t i = 0; i < params->size3; i++) {
            const int32_t sum = params->input1_sign *
                                    ts_add_exact_dsp_rescale(row1[i], params->input1_offset,
                                                             params->input1_multiplier,
                                                             params->input1_right) +
                                params->input2_sign *
                                    ts_add_exact_dsp_rescale(row2[i], params->input2_offset,
                                                             params->input2_multiplier,
                                                             params->input2_right);
            const int32_t scaled =
                ts_requantize_short(sum, params->output_multiplier, params->output_power,
                                    params->output_offset, has_sign);
            *output++ = ts_clamp_s8(scaled, params->activation_min, params->activation_max);
        }
    }
}

#endif
