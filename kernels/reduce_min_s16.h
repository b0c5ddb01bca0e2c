/**
 * @file
 * @brief REDUCE_MIN on int16, in portable C.
 */
#ifndef TS_REDUCE_MIN_S16_H
#define TS_REDUCE_MIN_S16_H

#include <stdint.h>

/** Parameters of ts_reduce_min_s16(). */
typedef struct {
    int32_t outer;    /**< elements before the reduced axes, > 0 */
    int32_t reduced0; /**< elements of the first run of reduced axes, > 0 */
    int32_t middle;   /**< elements between the two runs, > 0 */
    int32_t reduced1; /**< elements of the second run of reduced axes, > 0 */
    int32_t inner;    /**< elements behind the reduced axes, > 0 */
} ts_reduce_min_s16_params;

/**
 * @brief `output[o,m,i] = min over r, s of input[o,r,m,s,i]`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[outer, reduced0, middle, reduced1, inner]`, [-32768, 32767]
 * @param[out] output int16 `[outer, middle, inner]`, [-32768, 32767]
 */
static inline __attribute__((always_inline)) void
ts_reduce_min_s16(const ts_reduce_min_s16_params *params, const int16_t *input, int16_t *output)
{
    const int32_t slice = params->reduced1 * params->inner; /* of one place in the middle */
    for (int32_t o = 0; o < params->outer; o++) {
        const int16_t *block = input + o * params->reduced0 * params->middle * slice;
        for (int32_t m = 0; m < params->middle; m++) {
            for (int32_t i = 0; i < params->inner; i++) {
                const int16_t *first = block + m * slice + i;
                int16_t smallest = INT16_MAX;
                for (int32_t r = 0; r < params->reduced0; r++) {
                    const int16_t *row = first + r * params->middle * slice;
                    for (int32_t s = 0; s < params->reduced1; s++) {
                        const int16_t value = row[s * params->inner];
                        smallest = value < smallest ? value : smallest;
                    }
                }
                *output++ = smallest;
            }
        }
    }
}

#endif
