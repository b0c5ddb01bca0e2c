/**
 * @file
 * @brief Slices of an array picked by computed indices, elements of 16 bits, in portable C.
 */
#ifndef TS_GATHER_16_H
#define TS_GATHER_16_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_gather_16(). */
typedef struct {
    int32_t batches; /**< leading dimensions that input and indices share, as one, > 0 */
    int32_t outer;   /**< dimensions between those and the picked one, as one, > 0 */
    int32_t axis;    /**< size of the dimension that is picked from, > 0 */
    int32_t picked;  /**< indices a batch, > 0 */
    int32_t inner;   /**< elements of 16 bits in a slice, > 0 */
} ts_gather_16_params;

/** An element of whatever type: what is moved is only bits. */
typedef uint16_t __attribute__((may_alias)) ts_gather_16_element;

/**
 * @brief `output[b, o, p, :] = input[b, o, indices[b, p], :]`.
 *
 * An index outside the axis takes its nearest end: nothing else is read, whatever the data.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input `[batches, outer, axis, inner]`
 * @param[in] indices int32 `[batches, picked]`
 * @param[out] output `[batches, outer, picked, inner]`
 */
static inline __attribute__((always_inline)) void ts_gather_16(
    const ts_gather_16_params *params, const void *input, const int32_t *indices, void *output)
{
    const ts_gather_16_element *from = (const ts_gather_16_element *)input;
    ts_gather_16_element *restrict to = (ts_gather_16_element *)output;
    for (int32_t b = 0; b < params->batches; b++) {
        for (int32_t o = 0; o < params->outer; o++) {
            for (int32_t p = 0; p < params->picked; p++) {
                int32_t index = indices[b * params->picked + p];
                index = index < 0 ? 0 : index;
                index = index < params->axis ? index : params->axis - 1;
                const ts_gather_16_element *restrict slice = from + index * params->inner;
                for (int32_t e = 0; e < params->inner; e++) {
                    *to++ = slice[e];
                }
            }
            from += params->axis * params->inner;
        }
    }
}

#endif
