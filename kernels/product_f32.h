/**
 * @file
 * @brief Sums of products of floats, also for cores with neither an FPU nor long multiplications.
 */
#ifndef TS_PRODUCT_F32_H
#define TS_PRODUCT_F32_H

#include <stdint.h>

#include "float.h"

#if defined(__ARM_FP) || (defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2)

/** `sum + weight * input`: the compiler's library is fast where products have 64 bits. */
static inline float ts_add_product_f32(float sum, float weight, float input)
{
    return sum + weight * input;
}

#else

/**
 * @brief `a * b`, rounded to nearest, halves to even.
 *
 * The compiler's library takes nearly twice as long on Armv6-M. Products of what has no
 * exponent of its own, or get such, are left to it.
 */
static __attribute__((noinline, unused)) float ts_product_f32(float a, float b)
{
    const ts_float_bits x = {.value = a};
    const ts_float_bits y = {.value = b};
    const uint32_t x_exponent = x.bits << 1 >> 24;
    const uint32_t y_exponent = y.bits << 1 >> 24;
    const uint32_t exponent = x_exponent + y_exponent - 128; /* less one: so is the leading bit */
    if (x_exponent - 1 >= 254 || y_exponent - 1 >= 254 || exponent >= 252) {
        return a * b;
    }
    const uint32_t x_low = x.bits & 0xFFFF;
    const uint32_t y_low = y.bits & 0xFFFF;
    const uint32_t x_high = (x.bits >> 16 & 0x7F) | 0x80;
    const uint32_t y_high = (y.bits >> 16 & 0x7F) | 0x80;
    const uint32_t middle = x_low * y_high + x_high * y_low;
    const uint32_t first = x_low * y_low;
    const uint32_t low = first + (middle << 16);
    uint32_t high = x_high * y_high + (middle >> 16) + (low < first ? 1 : 0);
    /* 2^46 <= high * 2^32 + low < 2^48: 24 bits are kept, of what is left the first one decides. */
    const uint32_t is_large = high >> 15;
    const uint32_t shift = 9 - is_large;
    high = high << shift | low >> (32 - shift);
    const uint32_t rest = low << shift;
    uint32_t bits = ((exponent + is_large) << 23) + high;
    bits += rest >> 31;
    bits &= ~(rest == UINT32_C(0x80000000) ? UINT32_C(1) : 0); /* halves: to even */
    const ts_float_bits product = {.bits = bits | ((x.bits ^ y.bits) & UINT32_C(0x80000000))};
    return product.value;
}

/**
 * @brief `sum + weight * input`.
 * @param sum not -0: then an input of 0 adds nothing
 * @param weight finite
 * @param input any
 */
static inline float ts_add_product_f32(float sum, float weight, float input)
{
    const ts_float_bits x = {.value = input};
    return x.bits << 1 == 0 ? sum : sum + ts_product_f32(weight, input);
}

#endif

#endif
