/**
 * @file
 * @brief SUM and MEAN on float32, in portable C.
 */
#ifndef TS_SUM_F32_H
#define TS_SUM_F32_H

#include <stdint.h>

/** Parameters of ts_sum_f32(). */
typedef struct {
    int32_t outer;    /**< elements before the reduced axes, > 0 */
    int32_t reduced0; /**< elements of the first run of reduced axes, > 0 */
    int32_t middle;   /**< elements between the two runs, > 0 */
    int32_t reduced1; /**< elements of the second run of reduced axes, > 0 */
    int32_t inner;    /**< elements behind the reduced axes, > 0 */
    float divisor;    /**< 1 for a sum, the number of elements for a mean */
} ts_sum_f32_params;

/**
 * @brief `output[o,m,i] = sum over r, s of input[o,r,m,s,i] / divisor`.
 *
 * Sums in the order of memory, which decides the last bit.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input float `[outer, reduced0, middle, reduced1, inner]`
 * @param[out] output float `[outer, middle, inner]`
 */
static inline __attribute__((always_inline)) void ts_sum_f32(const ts_sum_f32_params *params,
                                                             const float *input, float *output)
{
    const int32_t slice = params->reduced1 * params->inner; /* of one place in the middle */
    for (int32_t o = 0; o < params->outer; o++) {
        const float *block = input + o * params->reduced0 * params->middle * slice;
        for (int32_t m = 0; m < params->middle; m++) {
            for (int32_t i = 0; i < params->inner; i++) {
                const float *first = block + m * slice + i;
                float sum = 0.0F;
                for (int32_t r = 0; r < params->reduced0; r++) {
                    const float *row = first + r * params->middle * slice;
                    for (int32_t s = 0; s < params->reduced1; s++) {
                        sum += row[s * params->inner];
                    }
                }
                *output++ = sum / params->divisor;
            }
        }
    }
}

#endif
