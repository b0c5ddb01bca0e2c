/**
 * @file
 * @brief REDUCE_MIN on int8, in portable C.
 */
#ifndef TS_REDUCE_MIN_S8_H
#define TS_REDUCE_MIN_S8_H

#include <stdint.h>

/** Parameters of ts_reduce_min_s8(). */
typedef struct {
    int32_t outer;    /**< elements before the reduced axes, > 0 */
    int32_t reduced0; /**< elements of the first run of reduced axes, > 0 */
    int32_t middle;   /**< elements between the two runs, > 0 */
    int32_t reduced1; /**< elements of the second run of reduced axes, > 0 */
    int32_t inner;    /**< elements behind the reduced axes, > 0 */
} ts_reduce_min_s8_params;

/**
 * @brief `output[o,m,i] = min over r, s of input[o,r,m,s,i]`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[outer, reduced0, middle, reduced1, inner]`, [-128, 127]
 * @param[out] output int8 `[outer, middle, inner]`, [-128, 127]
 */
static inline __attribute__((always_inline)) void
ts_reduce_min_s8(const ts_reduce_min_s8_params *params, const int8_t *input, int8_t *output)
{
    const int32_t slice = params->reduced1 * params->inner; /* of one place in the middle */
    for (int32_t o = 0; o < params->outer; o++) {
        const int8_t *block = input + o * params->reduced0 * params->middle * slice;
        for (int32_t m = 0; m < params->middle; m++) {
            for (int32_t i = 0; i < params->inner; i++) {
                const int8_t *first = block + m * slice + i;
                int8_t smallest = INT8_MAX;
                for (int32_t r = 0; r < params->reduced0; r++) {
                    const int8_t *row = first + r * params->middle * slice;
                    for (int32_t s = 0; s < params->reduced1; s++) {
                        const int8_t value = row[s * params->inner];
                        smallest = value < smallest ? value : smallest;
                    }
                }
                *output++ = smallest;
            }
        }
    }
}

#endif
