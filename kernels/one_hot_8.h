/**
 * @file
 * @brief ONE_HOT of elements of 8 bits, in portable C.
 */
#ifndef TS_ONE_HOT_8_H
#define TS_ONE_HOT_8_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_one_hot_8(). */
typedef struct {
    int32_t outer;    /**< indices before the axis, > 0 */
    int32_t depth;    /**< of the axis, > 0 */
    int32_t inner;    /**< indices behind the axis, > 0 */
    int32_t on_bits;  /**< the element where the index points, as an integer */
    int32_t off_bits; /**< the element elsewhere, as an integer */
} ts_one_hot_8_params;

/** An element of whatever type: what is written is only bits. */
typedef int8_t __attribute__((may_alias)) ts_one_hot_8_element;

/**
 * @brief `output[o, d, i] = indices[o, i] == d ? on : off`; an index outside points nowhere.
 *
 * @param params sizes and values, a literal at the call so that the compiler specialises
 * @param[in] indices int32 `[outer, inner]`
 * @param[out] output `[outer, depth, inner]`
 */
static inline __attribute__((always_inline)) void
ts_one_hot_8(const ts_one_hot_8_params *params, const int32_t *indices, void *output)
{
    ts_one_hot_8_element *restrict to = (ts_one_hot_8_element *)output;
    const ts_one_hot_8_element on = (ts_one_hot_8_element)params->on_bits;
    const ts_one_hot_8_element off = (ts_one_hot_8_element)params->off_bits;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t d = 0; d < params->depth; d++) {
            for (int32_t i = 0; i < params->inner; i++) {
                *to++ = indices[o * params->inner + i] == d ? on : off;
            }
        }
    }
}

#endif
