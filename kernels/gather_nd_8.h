/**
 * @file
 * @brief GATHER_ND of elements of 8 bits, in portable C.
 */
#ifndef TS_GATHER_ND_8_H
#define TS_GATHER_ND_8_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_gather_nd_8(). */
typedef struct {
    int32_t picked; /**< slices, > 0 */
    int32_t depth;  /**< indices a slice, [1, 5] */
    int32_t inner;  /**< elements of 8 bits in a slice, > 0 */
    int32_t size0;  /**< of the first dimension, > 0 */
    int32_t size1;  /**< of the second, 1 if there is none */
    int32_t size2;  /**< of the third, 1 if there is none */
    int32_t size3;  /**< of the fourth, 1 if there is none */
    int32_t size4;  /**< of the fifth, 1 if there is none */
} ts_gather_nd_8_params;

/** An element of whatever type: what is moved is only bits. */
typedef uint8_t __attribute__((may_alias)) ts_gather_nd_8_element;

/**
 * @brief `output[p, :] = input[indices[p, 0], .., indices[p, depth - 1], :]`.
 *
 * An index outside its dimension takes the nearest end: nothing else is read, whatever the data.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] indices int32 `[picked, depth]`
 * @param[in] input `[size0, size1, size2, size3, size4, inner]`
 * @param[out] output `[picked, inner]`
 */
static inline __attribute__((always_inline)) void ts_gather_nd_8(
    const ts_gather_nd_8_params *params, const int32_t *indices, const void *input, void *output)
{
    const int32_t sizes[] = {params->size0, params->size1, params->size2, params->size3,
                             params->size4};
    const ts_gather_nd_8_element *const from = (const ts_gather_nd_8_element *)input;
    ts_gather_nd_8_element *restrict to = (ts_gather_nd_8_element *)output;
    for (int32_t p = 0; p < params->picked; p++) {
        int32_t place = 0;
        for (int32_t d = 0; d < params->depth; d++) {
            const int32_t index = *indices++;
            const int32_t last = sizes[d] - 1;
            place = place * sizes[d] + (index < 0 ? 0 : index > last ? last : index);
        }
        const ts_gather_nd_8_element *restrict slice = from + place * params->inner;
        for (int32_t e = 0; e < params->inner; e++) {
            *to++ = slice[e];
        }
    }
}

#endif
