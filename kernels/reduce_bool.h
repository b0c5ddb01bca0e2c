/**
 * @file
 * @brief REDUCE_ALL and REDUCE_ANY, in portable C.
 */
#ifndef TS_REDUCE_BOOL_H
#define TS_REDUCE_BOOL_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_reduce_bool(). */
typedef struct {
    int32_t outer;    /**< elements before the reduced axes, > 0 */
    int32_t reduced0; /**< elements of the first run of reduced axes, > 0 */
    int32_t middle;   /**< elements between the two runs, > 0 */
    int32_t reduced1; /**< elements of the second run of reduced axes, > 0 */
    int32_t inner;    /**< elements behind the reduced axes, > 0 */
    int32_t settling; /**< what one element must be to be the outcome: 0 of all, 1 of any */
} ts_reduce_bool_params;

/**
 * @brief `output[o,m,i] = all, or any, over r, s of input[o,r,m,s,i]`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input bool `[outer, reduced0, middle, reduced1, inner]`
 * @param[out] output bool `[outer, middle, inner]`
 */
static inline __attribute__((always_inline)) void
ts_reduce_bool(const ts_reduce_bool_params *params, const bool *input, bool *output)
{
    const int32_t slice = params->reduced1 * params->inner; /* of one place in the middle */
    for (int32_t o = 0; o < params->outer; o++) {
        const bool *block = input + o * params->reduced0 * params->middle * slice;
        for (int32_t m = 0; m < params->middle; m++) {
            for (int32_t i = 0; i < params->inner; i++) {
                const bool *first = block + m * slice + i;
                const bool settling = params->settling != 0;
                bool is_settled = false;
                for (int32_t r = 0; r < params->reduced0; r++) {
                    const bool *row = first + r * params->middle * slice;
                    for (int32_t s = 0; s < params->reduced1; s++) {
                        is_settled = is_settled || row[s * params->inner] == settling;
                    }
                }
                *output++ = is_settled == settling;
            }
        }
    }
}

#endif
