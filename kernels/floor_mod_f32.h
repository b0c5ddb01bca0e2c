/**
 * @file
 * @brief FLOOR_MOD on float32, in portable C.
 */
#ifndef TS_FLOOR_MOD_F32_H
#define TS_FLOOR_MOD_F32_H

#include <stdint.h>

#include "broadcast.h"
#include "math_f32.h"

/** Parameters of ts_floor_mod_f32(). */
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
    int32_t is_reversed;    /**< 1 if input1 is the operator's second operand */
} ts_floor_mod_f32_params;

/** The remainder that has the sign of `b`. */
static inline float ts_floor_mod_of_f32(float a, float b)
{
    const float rest = ts_remainder_f32(a, b);
    return rest != 0.0F && (b < 0.0F) != (rest < 0.0F) ? rest + b : rest;
}

/**
 * @brief `output = a - b * floor(a / b), by an exact remainder`; shapes broadcast.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input1 float, its strides say how much
 * @param[in] input2 float, its strides say how much
 * @param[out] output float `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void
ts_floor_mod_f32(const ts_floor_mod_f32_params *params, const float *input1, const float *input2,
                 float *output)
{
    TS_FOR_EACH_ROW (params) {
        const float *const row1 = input1 + TS_ROW(params, input1);
        const float *const row2 = input2 + TS_ROW(params, input2);
        const float first1 = *row1;
        const float first2 = *row2;
        for (int32_t i = 0; i < params->size3; i++) {
            const float a = params->input1_stride3 ? row1[i] : first1;
            const float b = params->input2_stride3 ? row2[i] : first2;
            *output++ =
                params->is_reversed ? ts_floor_mod_of_f32(b, a) : ts_floor_mod_of_f32(a, b);
        }
    }
}

#endif
