/**
 * @file
 * @brief Exponential and logarithm in single precision, without a mathematics library.
 *
 * Both compute in double with a relative error of about 2^-52 and round once: the result is the
 * correctly rounded one unless the exact value lies within that error of a tie, about once in 2^28
 * arguments. The double operations come from the compiler's own runtime where no unit has them.
 */
#ifndef TS_MATH_F32_H
#define TS_MATH_F32_H

#include <stdint.h>

/** ln 2 in two parts; the first ends in 20 zero bits, so small multiples of it are exact. */
#define TS_LN2_HIGH 0x1.62e42fefp-1
#define TS_LN2_LOW 0x1.473de6af278edp-34

/** A double and its bits. */
typedef union {
    double value;
    uint64_t bits;
} ts_double_bits;

/** `2^exponent`, for exponent in [-1022, 1023]. */
static inline double ts_power_of_two(int32_t exponent)
{
    const ts_double_bits power = {.bits = (uint64_t)(exponent + 1023) << 52};
    return power.value;
}

/**
 * @brief `e^x`.
 *
 * With `x = k ln 2 + r` and |r| <= ln 2 / 2 it is `2^k e^r`; the Taylor series of `e^r` up to r^13
 * leaves 2^-57.
 *
 * @param x any; infinity above 88.8, 0 below -104, NaN for NaN
 */
static inline float ts_exp_f32(float x)
{
    static const double reciprocal_factorials[] = {
        1.0 / 6227020800,
        1.0 / 479001600,
        1.0 / 39916800,
        1.0 / 3628800,
        1.0 / 362880,
        1.0 / 40320,
        1.0 / 5040,
        1.0 / 720,
        1.0 / 120,
        1.0 / 24,
        1.0 / 6,
        1.0 / 2,
        1.0,
        1.0,
    };
    if (x != x) {
        return x;
    }
    if (x > 89.0F) {
        return __builtin_inff();
    }
    if (x < -104.0F) {
        return 0.0F;
    }
    const double turns = (double)x * 0x1.71547652b82fep+0; /* 1 / ln 2 */
    const int32_t k = (int32_t)(turns < 0.0 ? turns - 0.5 : turns + 0.5);
    const double r = ((double)x - k * TS_LN2_HIGH) - k * TS_LN2_LOW;
    double sum = 0.0;
    for (uint32_t i = 0; i < sizeof reciprocal_factorials / sizeof reciprocal_factorials[0]; i++) {
        sum = sum * r + reciprocal_factorials[i];
    }
    const double result = sum * ts_power_of_two(k);
    /* Converting a double beyond float's range is undefined; this is where rounding makes it so. */
    return result >= 0x1.ffffffp+127 ? __builtin_inff() : (float)result;
}

/**
 * @brief Natural logarithm.
 *
 * With `x = 2^k m` and m in [2/3, 4/3) it is `k ln 2 + 2 artanh(s)`, s = (m - 1) / (m + 1), |s| <=
 * 1/5; the series of artanh up to s^23 leaves 2^-60.
 *
 * @param x any; -infinity for 0, NaN below and for NaN
 */
static inline float ts_log_f32(float x)
{
    static const double odd_reciprocals[] = {
        1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
        1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,
    };
    if (x != x || x == __builtin_inff()) {
        return x;
    }
    if (x <= 0.0F) {
        return x < 0.0F ? __builtin_nanf("") : -__builtin_inff();
    }
    ts_double_bits mantissa = {.value = x}; /* normal, even if the float is not */
    int32_t k = (int32_t)(mantissa.bits >> 52) - 1023;
    mantissa.bits = (mantissa.bits & ((UINT64_C(1) << 52) - 1U)) | (UINT64_C(1023) << 52);
    if (mantissa.value >= 4.0 / 3.0) {
        mantissa.value *= 0.5;
        k++;
    }
    const double s = (mantissa.value - 1.0) / (mantissa.value + 1.0);
    const double s2 = s * s;
    double sum = 0.0;
    for (uint32_t i = 0; i < sizeof odd_reciprocals / sizeof odd_reciprocals[0]; i++) {
        sum = (sum + odd_reciprocals[i]) * s2;
    }
    return (float)(k * TS_LN2_HIGH + (2.0 * s + (2.0 * s * sum + k * TS_LN2_LOW)));
}

#endif
