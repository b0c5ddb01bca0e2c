/**
 * @file
 * @brief POW on float32, in portable C.
 */
#ifndef TS_POW_F32_H
#define TS_POW_F32_H

#include <stdint.h>

#include "broadcast.h"
#include "math_f32.h"

/** Parameters of ts_pow_f32(). */
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
} ts_pow_f32_params;

/** How a number counts as an exponent of a negative base. */
enum { TS_POW_FRACTION = 0, TS_POW_EVEN = 1, TS_POW_ODD = 2 };

/** Say what kind of exponent `y` is; all from 2^24 on, and the infinities, are even. */
static inline int32_t ts_pow_kind(float y)
{
    if (!(y > -0x1p+24F && y < 0x1p+24F)) {
        return TS_POW_EVEN;
    }
    const int32_t whole = (int32_t)y;
    return (float)whole != y ? TS_POW_FRACTION : (whole & 1) != 0 ? TS_POW_ODD : TS_POW_EVEN;
}

/** `x^y` as IEEE 754 has it, by `e^(y ln x)`; NaN for a negative base with a fraction above it. */
static inline float ts_pow_of_f32(float x, float y)
{
    if (y == 0.0F || x == 1.0F) {
        return 1.0F;
    }
    if (x != x || y != y) {
        return x + y;
    }
    const int32_t kind = ts_pow_kind(y);
    const float magnitude = __builtin_fabsf(x);
    const float sign = kind == TS_POW_ODD ? __builtin_copysignf(1.0F, x) : 1.0F;
    const float far = __builtin_inff();
    if (magnitude == 0.0F || magnitude == far) {
        return (magnitude == 0.0F) == (y < 0.0F) ? sign * far : sign * 0.0F;
    }
    if (y == far || y == -far) {
        return magnitude == 1.0F ? 1.0F : (magnitude > 1.0F) == (y > 0.0F) ? far : 0.0F;
    }
    if (x < 0.0F && kind == TS_POW_FRACTION) {
        return __builtin_nanf("");
    }
    const double exponent = (double)y * ts_log_f64(magnitude);
    if (exponent > 89.0) {
        return sign * far;
    }
    return exponent < -104.0 ? sign * 0.0F : sign * ts_narrowed(ts_exp_f64(exponent));
}

/**
 * @brief `output = a ** b`; shapes broadcast.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input1 float, its strides say how much
 * @param[in] input2 float, its strides say how much
 * @param[out] output float `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void
ts_pow_f32(const ts_pow_f32_params *params, const float *input1, const float *input2, float *output)
{
    TS_FOR_EACH_ROW (params) {
        const float *const row1 = input1 + TS_ROW(params, input1);
        const float *const row2 = input2 + TS_ROW(params, input2);
        const float first1 = *row1;
        const float first2 = *row2;
        for (int32_t i = 0; i < params->size3; i++) {
            const float a = params->input1_stride3 ? row1[i] : first1;
            const float b = params->input2_stride3 ? row2[i] : first2;
            *output++ = params->is_reversed ? ts_pow_of_f32(b, a) : ts_pow_of_f32(a, b);
        }
    }
}

#endif
