/**
 * @file
 * @brief CAST between all types, in portable C.
 */
#ifndef TS_CAST_H
#define TS_CAST_H

#include <stdbool.h>
#include <stdint.h>

/** The types, numbered as in compiler/ops/cast.py. */
enum {
    TS_TYPE_S8 = 0,
    TS_TYPE_S16 = 1,
    TS_TYPE_S32 = 2,
    TS_TYPE_S64 = 3,
    TS_TYPE_U32 = 4,
    TS_TYPE_F32 = 5,
    TS_TYPE_BOOL = 6,
};

/** Parameters of ts_cast(). */
typedef struct {
    int32_t elements; /**< > 0 */
    int32_t from;     /**< a TS_TYPE_ number */
    int32_t to;       /**< a TS_TYPE_ number */
} ts_cast_params;

/** An integer of any type. */
static inline __attribute__((always_inline)) int64_t ts_cast_load(const void *input, int32_t at,
                                                                  int32_t type)
{
    switch (type) {
    case TS_TYPE_S8:
        return ((const int8_t *)input)[at];
    case TS_TYPE_S16:
        return ((const int16_t *)input)[at];
    case TS_TYPE_S32:
        return ((const int32_t *)input)[at];
    case TS_TYPE_S64:
        return ((const int64_t *)input)[at];
    case TS_TYPE_U32:
        return ((const uint32_t *)input)[at];
    default:
        return ((const bool *)input)[at];
    }
}

/** Write an integer, modulo the type's size; anything but 0 is true. */
static inline __attribute__((always_inline)) void ts_cast_store(void *output, int32_t at,
                                                                int32_t type, int64_t value)
{
    switch (type) {
    case TS_TYPE_S8:
        ((int8_t *)output)[at] = (int8_t)value;
        break;
    case TS_TYPE_S16:
        ((int16_t *)output)[at] = (int16_t)value;
        break;
    case TS_TYPE_S32:
        ((int32_t *)output)[at] = (int32_t)value;
        break;
    case TS_TYPE_S64:
        ((int64_t *)output)[at] = value;
        break;
    case TS_TYPE_U32:
        ((uint32_t *)output)[at] = (uint32_t)value;
        break;
    case TS_TYPE_F32:
        ((float *)output)[at] = (float)value;
        break;
    default:
        ((bool *)output)[at] = value != 0;
        break;
    }
}

/** A float cut towards zero, into the type's limits; 0 if it is not a number. */
static inline __attribute__((always_inline)) int64_t ts_cast_whole(float x, int32_t type)
{
    const int32_t bits = type == TS_TYPE_S8    ? 7
                         : type == TS_TYPE_S16 ? 15
                         : type == TS_TYPE_S32 ? 31
                         : type == TS_TYPE_U32 ? 32
                                               : 63;
    const uint64_t beyond = UINT64_C(1) << bits;
    const int64_t lowest = type == TS_TYPE_U32 ? 0 : -(int64_t)(beyond - 1U) - 1;
    if (x != x) {
        return 0;
    }
    if (x >= (float)beyond) {
        return (int64_t)(beyond - 1U);
    }
    return x < (float)lowest ? lowest : (int64_t)x;
}

/**
 * @brief `output[e] = (type)input[e]`.
 *
 * Integers wrap. Floats are cut towards zero; those that do not fit become the nearest that does.
 *
 * @param params size and types, literals at the call so that one conversion is compiled
 * @param[in] input `[elements]` of the type `from`
 * @param[out] output `[elements]` of the type `to`
 */
static inline __attribute__((always_inline)) void ts_cast(const ts_cast_params *params,
                                                          const void *input, void *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        if (params->from != TS_TYPE_F32) {
            ts_cast_store(output, e, params->to, ts_cast_load(input, e, params->from));
            continue;
        }
        const float x = ((const float *)input)[e];
        if (params->to == TS_TYPE_F32) {
            ((float *)output)[e] = x;
        } else if (params->to == TS_TYPE_BOOL) {
            ((bool *)output)[e] = x < 0.0F || x > 0.0F || x != x;
        } else {
            ts_cast_store(output, e, params->to, ts_cast_whole(x, params->to));
        }
    }
}

#endif
