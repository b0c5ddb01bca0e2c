/**
 * @file
 * @brief Functions of single precision numbers, without a mathematics library.
 *
 * They compute in double with a relative error of about 2^-52 (sine and cosine near a zero 2^-40)
 * and round once: the result is the correctly rounded one unless the exact value lies within that
 * error of a tie, of the exponential about once in 2^28 arguments. The double operations come from
 * the compiler's own runtime where no unit has them.
 */
#ifndef TS_MATH_F32_H
#define TS_MATH_F32_H

#include <stdint.h>

#include "float.h"

/** ln 2 in two parts; the first ends in 20 zero bits, so small multiples of it are exact. */
#define TS_LN2_HIGH 0x1.62e42fefp-1
#define TS_LN2_LOW  0x1.473de6af278edp-34

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

/** A double as a float; one beyond float's range, of which C says nothing, is an infinity. */
static inline float ts_narrowed(double x)
{
    if (x >= 0x1.ffffffp+127 || x <= -0x1.ffffffp+127) {
        return x > 0.0 ? __builtin_inff() : -__builtin_inff();
    }
    return (float)x;
}

/**
 * @brief `e^x` in double.
 *
 * With `x = k ln 2 + r` and |r| <= ln 2 / 2 it is `2^k e^r`; the Taylor series of `e^r` up to r^13
 * leaves 2^-57.
 *
 * @param x [-700, 700]
 */
static inline double ts_exp_f64(double x)
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
    const double turns = x * 0x1.71547652b82fep+0; /* 1 / ln 2 */
    const int32_t k = (int32_t)(turns < 0.0 ? turns - 0.5 : turns + 0.5);
    const double r = (x - k * TS_LN2_HIGH) - k * TS_LN2_LOW;
    double sum = 0.0;
    for (uint32_t i = 0; i < sizeof reciprocal_factorials / sizeof reciprocal_factorials[0]; i++) {
        sum = sum * r + reciprocal_factorials[i];
    }
    return sum * ts_power_of_two(k);
}

/**
 * @brief `e^x`.
 * @param x any; infinity above 88.8, 0 below -104, NaN for NaN
 */
static inline float ts_exp_f32(float x)
{
    if (x != x) {
        return x;
    }
    if (x > 89.0F) {
        return __builtin_inff();
    }
    if (x < -104.0F) {
        return 0.0F;
    }
    return ts_narrowed(ts_exp_f64((double)x));
}

/**
 * @brief Natural logarithm in double.
 *
 * With `x = 2^k m` and m in [2/3, 4/3) it is `k ln 2 + 2 artanh(s)`, s = (m - 1) / (m + 1), |s| <=
 * 1/5; the series of artanh up to s^23 leaves 2^-60.
 *
 * @param x > 0, finite
 */
static inline double ts_log_f64(float x)
{
    static const double odd_reciprocals[] = {
        1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
        1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,
    };
    ts_double_bits mantissa = {.value = (double)x}; /* normal, even if the float is not */
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
    return k * TS_LN2_HIGH + (2.0 * s + (2.0 * s * sum + k * TS_LN2_LOW));
}

/**
 * @brief Natural logarithm.
 * @param x any; -infinity for 0, NaN below and for NaN
 */
static inline float ts_log_f32(float x)
{
    if (x != x || x == __builtin_inff()) {
        return x;
    }
    if (x <= 0.0F) {
        return x < 0.0F ? __builtin_nanf("") : -__builtin_inff();
    }
    return (float)ts_log_f64(x);
}

/**
 * @brief Square root, correctly rounded, bit by bit.
 * @param x any; NaN below 0 and for NaN
 */
static inline float ts_sqrt_f32(float x)
{
    if (!(x > 0.0F) || x == __builtin_inff()) {
        return x < 0.0F ? __builtin_nanf("") : x;
    }
    ts_float_bits parts = {.value = x};
    int32_t exponent = -150;
    if (parts.bits < UINT32_C(0x00800000)) {
        parts.value = x * 0x1p+24F; /* subnormal */
        exponent -= 24;
    }
    exponent += (int32_t)(parts.bits >> 23);
    const uint32_t mantissa = (parts.bits & UINT32_C(0x007FFFFF)) | UINT32_C(0x00800000);
    const int32_t raised = (exponent & 1) != 0 ? 25 : 26; /* makes the exponent even */
    const uint64_t radicand = (uint64_t)mantissa << raised;
    uint32_t root = 0;
    uint32_t rest = 0;
    for (int32_t bit = 48; bit >= 0; bit -= 2) {
        rest = (rest << 2) | (uint32_t)((radicand >> bit) & 3U);
        const uint32_t trial = (root << 2) | 1U;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1U;
        }
    }
    /* 25 bits, never a tie: half a unit has no 24-bit square. */
    const int32_t power = (exponent - raised) / 2 + 1;
    parts.bits = ((uint32_t)(power + 149) << 23) + ((root + 1U) >> 1);
    return parts.value;
}

/**
 * @brief `e^x - 1`.
 * @param x at most 0, or NaN
 */
static inline float ts_expm1_f32(float x)
{
    const double d = (double)x;
    if (!(x < -0x1p-10F)) {
        return (float)(d + d * d * (0.5 + d * (1.0 / 6 + d * (1.0 / 24))));
    }
    return x < -104.0F ? -1.0F : (float)(ts_exp_f64(d) - 1.0);
}

/**
 * @brief `1 - erf(x)` in double.
 *
 * Near 0 by the series `2 x e^-x^2 / sqrt(pi) * sum (2 x^2)^n / (1 3 5 .. (2n + 1))`, far out by
 * the continued fraction of erfc, both to about 2^-40 of the result.
 *
 * @param x any; NaN for NaN
 */
static inline double ts_erfc_f64(double x)
{
    static const double odd_reciprocals[] = {
        1.0 / 69, 1.0 / 67, 1.0 / 65, 1.0 / 63, 1.0 / 61, 1.0 / 59, 1.0 / 57,
        1.0 / 55, 1.0 / 53, 1.0 / 51, 1.0 / 49, 1.0 / 47, 1.0 / 45, 1.0 / 43,
        1.0 / 41, 1.0 / 39, 1.0 / 37, 1.0 / 35, 1.0 / 33, 1.0 / 31, 1.0 / 29,
        1.0 / 27, 1.0 / 25, 1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15,
        1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3,
    };
    const double magnitude = x < 0.0 ? -x : x;
    if (magnitude > 26.0) {
        return x < 0.0 ? 2.0 : 0.0;
    }
    if (x != x) {
        return x;
    }
    const double square = magnitude * magnitude;
    const double scale = ts_exp_f64(-square) * 0x1.20dd750429b6dp-1; /* 1 / sqrt(pi) */
    double upper;
    if (magnitude < 2.0) {
        double sum = 1.0;
        for (uint32_t i = 0; i < sizeof odd_reciprocals / sizeof odd_reciprocals[0]; i++) {
            sum = 1.0 + sum * (2.0 * square) * odd_reciprocals[i];
        }
        upper = 1.0 - 2.0 * magnitude * scale * sum;
    } else {
        double below = magnitude;
        for (int32_t n = 40; n > 0; n--) {
            below = magnitude + 0.5 * (double)n / below;
        }
        upper = scale / below;
    }
    return x < 0.0 ? 2.0 - upper : upper;
}

/**
 * @brief Hyperbolic tangent.
 * @param x any; NaN for NaN
 */
static inline float ts_tanh_f32(float x)
{
    const double d = (double)x;
    if (!(x > 0x1p-10F || x < -0x1p-10F)) {
        return (float)(d - d * d * d * (1.0 / 3 - d * d * (2.0 / 15)));
    }
    if (x > 20.0F || x < -20.0F) {
        return x > 0.0F ? 1.0F : -1.0F;
    }
    const double power = ts_exp_f64(2.0 * d);
    return (float)((power - 1.0) / (power + 1.0));
}

/** An angle as quarter turns and the rest, in [-pi/4, pi/4]. */
typedef struct {
    int32_t quarter; /**< modulo 4 */
    double rest;     /**< radians */
} ts_angle;

/**
 * @brief Take whole quarter turns off, for an angle however large.
 *
 * `x = m 2^e`: of 2 / pi only those 96 bits count that, times m, give the quarter and its fraction.
 *
 * @param x finite
 */
static inline ts_angle ts_reduce(float x)
{
    /* Bits of 2 / pi, behind 32 zeros. */
    static const uint32_t two_over_pi[] = {0x00000000U, 0xA2F9836EU, 0x4E441529U, 0xFC2757D1U,
                                           0xF534DDC0U, 0xDB629599U, 0x3C439041U, 0xFE5163ABU};
    if (x > -0.78F && x < 0.78F) {
        return (ts_angle){0, (double)x};
    }
    const ts_float_bits parts = {.value = x};
    const uint32_t mantissa = (parts.bits & UINT32_C(0x007FFFFF)) | UINT32_C(0x00800000);
    const uint32_t start = ((parts.bits >> 23) & 255U) - 120U; /* exponent - 150 - 1 + 31 */
    const uint32_t *word = two_over_pi + start / 32U;
    const uint32_t skipped = start % 32U;
    uint32_t product[3];
    uint64_t carry = 0;
    for (int32_t i = 2; i >= 0; i--) {
        const uint64_t pair = ((uint64_t)word[i] << 32) | word[i + 1];
        carry += (uint64_t)mantissa * (uint32_t)(pair >> (32U - skipped));
        product[i] = (uint32_t)carry;
        carry >>= 32;
    }
    const int64_t fraction =
        (int64_t)(((uint64_t)(product[0] & UINT32_C(0x3FFFFFFF)) << 32) | product[1]);
    const int32_t is_over = fraction >= (INT64_C(1) << 61);
    const double turns = (double)(is_over ? fraction - (INT64_C(1) << 62) : fraction) * 0x1p-62 +
                         (double)product[2] * 0x1p-94;
    const int32_t quarter = (int32_t)(product[0] >> 30) + is_over;
    const double rest = turns * 0x1.921fb54442d18p+0;
    return x < 0.0F ? (ts_angle){-quarter & 3, -rest} : (ts_angle){quarter & 3, rest};
}

/** Sine of an angle that is turned by quarters further. */
static inline float ts_sine_of(ts_angle angle, int32_t further)
{
    const double square = angle.rest * angle.rest;
    const int32_t quarter = angle.quarter + further;
    double sum = 1.0;
    if ((quarter & 1) != 0) {
        for (int32_t i = 16; i > 0; i -= 2) {
            sum = 1.0 - sum * square / (double)(i * (i - 1));
        }
    } else {
        for (int32_t i = 17; i > 1; i -= 2) {
            sum = 1.0 - sum * square / (double)(i * (i - 1));
        }
        sum *= angle.rest;
    }
    return (float)((quarter & 2) != 0 ? -sum : sum);
}

/** Sine; NaN for infinities and NaN. */
static inline float ts_sin_f32(float x)
{
    return x - x == 0.0F ? ts_sine_of(ts_reduce(x), 0) : __builtin_nanf("");
}

/** Cosine; NaN for infinities and NaN. */
static inline float ts_cos_f32(float x)
{
    return x - x == 0.0F ? ts_sine_of(ts_reduce(x), 1) : __builtin_nanf("");
}

/** The largest whole number that is not above `x`. */
static inline float ts_floor_f32(float x)
{
    if (!(x > -0x1p+23F && x < 0x1p+23F)) {
        return x;
    }
    const float whole = (float)(int32_t)x;
    return __builtin_copysignf(whole > x ? whole - 1.0F : whole, x);
}

/** The significand of a positive finite float, as a whole number below 2^24. */
static inline uint32_t ts_significand(ts_float_bits x)
{
    const uint32_t fraction = x.bits & UINT32_C(0x007FFFFF);
    return x.bits >> 23 != 0U ? fraction | UINT32_C(0x00800000) : fraction;
}

/**
 * @brief `a - b * n`, n the quotient cut towards zero: exact, by long division in binary.
 * @param a any; NaN for infinities and NaN
 * @param b any; NaN for 0 and NaN
 */
static inline float ts_remainder_f32(float a, float b)
{
    ts_float_bits x = {.value = __builtin_fabsf(a)};
    const ts_float_bits y = {.value = __builtin_fabsf(b)};
    if (!(x.value < __builtin_inff()) || y.value != y.value || y.value == 0.0F) {
        return __builtin_nanf("");
    }
    if (x.value < y.value) {
        return a;
    }
    const int32_t low = y.bits >> 23 != 0U ? (int32_t)(y.bits >> 23) : 1;
    const uint32_t divisor = ts_significand(y);
    uint32_t rest = ts_significand(x) % divisor;
    for (int32_t e = x.bits >> 23 != 0U ? (int32_t)(x.bits >> 23) : 1; e > low; e--) {
        rest <<= 1;
        rest = rest >= divisor ? rest - divisor : rest;
    }
    /* Below the divisor, so exact; the power of two is split, for it may be below the least. */
    const ts_float_bits power = {.bits = (uint32_t)(low > 24 ? low - 23 : low) << 23};
    const float scaled = (float)rest * power.value;
    return __builtin_copysignf(low > 24 ? scaled : scaled * 0x1p-23F, a);
}

/** The nearest whole number, of two the even one. */
static inline float ts_rint_f32(float x)
{
    if (!(x > -0x1p+22F && x < 0x1p+22F)) {
        const float below = ts_floor_f32(x); /* halves below 2^23 */
        const int32_t is_half = x - below == 0.5F;
        return is_half && ((int32_t)below & 1) != 0 ? below + 1.0F : below;
    }
    return __builtin_copysignf((float)ts_round_f32(x, 1), x);
}

#endif
