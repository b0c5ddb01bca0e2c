/**
 * @file
 * @brief Functions of one operand on float32, in portable C.
 */
#ifndef TS_UNARY_F32_H
#define TS_UNARY_F32_H

#include <stdint.h>

#include "float.h"
#include "math_f32.h"

/** The functions, numbered as in compiler/ops/_unary.py. */
enum {
    TS_UNARY_ABS = 0,
    TS_UNARY_NEG = 1,
    TS_UNARY_SQUARE = 2,
    TS_UNARY_SQRT = 3,
    TS_UNARY_RSQRT = 4,
    TS_UNARY_EXP = 5,
    TS_UNARY_LOG = 6,
    TS_UNARY_SIN = 7,
    TS_UNARY_COS = 8,
    TS_UNARY_FLOOR = 9,
    TS_UNARY_CEIL = 10,
    TS_UNARY_ROUND = 11,
    TS_UNARY_LOGISTIC = 12,
    TS_UNARY_TANH = 13,
    TS_UNARY_ELU = 14,
    TS_UNARY_HARD_SWISH = 15,
    TS_UNARY_GELU = 16,
    TS_UNARY_GELU_TANH = 17,
};

/** Parameters of ts_unary_f32(). */
typedef struct {
    int32_t elements; /**< > 0 */
    int32_t function; /**< a TS_UNARY_ number */
} ts_unary_f32_params;

/** `1 / (1 + e^-x)`; far out it is 1, or the exponential alone, as the reference has it. */
static inline float ts_unary_f32_logistic(float x)
{
    if (x > 16.619047164916992188F) {
        return 1.0F;
    }
    return x < -9.0F ? ts_exp_f32(x) : 1.0F / (1.0F + ts_exp_f32(-x));
}

/** `x / 2 (1 + tanh u) = x / (1 + e^-2u)`, u = sqrt(2 / pi) (x + 0.044715 x^3). */
static inline float ts_unary_f32_gelu_tanh(float x)
{
    const double d = (double)x;
    const double twice = 2.0 * 0x1.9884533d43651p-1 * (d + 0.044715 * d * d * d);
    /* Far out it is x itself, or nothing; NaN goes on. */
    return twice > 200.0    ? x
           : twice < -200.0 ? -0.0F
                            : (float)(d / (1.0 + ts_exp_f64(-twice)));
}

/** One element. */
static inline __attribute__((always_inline)) float ts_unary_f32_of(float x, int32_t function)
{
    switch (function) {
    case TS_UNARY_ABS:
        return __builtin_fabsf(x);
    case TS_UNARY_NEG:
        return -x;
    case TS_UNARY_SQUARE:
        return x * x;
    case TS_UNARY_SQRT:
        return ts_sqrt_f32(x);
    case TS_UNARY_RSQRT:
        return 1.0F / ts_sqrt_f32(x);
    case TS_UNARY_EXP:
        return ts_exp_f32(x);
    case TS_UNARY_LOG:
        return ts_log_f32(x);
    case TS_UNARY_SIN:
        return ts_sin_f32(x);
    case TS_UNARY_COS:
        return ts_cos_f32(x);
    case TS_UNARY_FLOOR:
        return ts_floor_f32(x);
    case TS_UNARY_CEIL:
        return -ts_floor_f32(-x);
    case TS_UNARY_ROUND:
        return ts_rint_f32(x);
    case TS_UNARY_LOGISTIC:
        return ts_unary_f32_logistic(x);
    case TS_UNARY_TANH:
        return ts_tanh_f32(x);
    case TS_UNARY_ELU:
        return x < 0.0F ? ts_expm1_f32(x) : x;
    case TS_UNARY_GELU:
        return (float)(0.5 * (double)x * ts_erfc_f64((double)x * -0x1.6a09e667f3bcdp-1));
    case TS_UNARY_GELU_TANH:
        return ts_unary_f32_gelu_tanh(x);
    default:
        return x * ts_clamp_f32(x + 3.0F, 0.0F, 6.0F) / 6.0F;
    }
}

/**
 * @brief `output[e] = f(input[e])`.
 *
 * @param params size and function, a literal at the call so that only that one is compiled
 * @param[in] input float `[elements]`, any
 * @param[out] output float `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void ts_unary_f32(const ts_unary_f32_params *params,
                                                               const float *input, float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = ts_unary_f32_of(input[e], params->function);
    }
}

#endif
