/**
 * @file
 * @brief CUMSUM on float, in portable C.
 */
#ifndef TS_CUMSUM_F32_H
#define TS_CUMSUM_F32_H

#include <stdint.h>

/** Parameters of ts_cumsum_f32(). */
typedef struct {
    int32_t outer;        /**< elements before the axis, > 0 */
    int32_t length;       /**< of the axis, > 0 */
    int32_t inner;        /**< elements behind the axis, > 0 */
    int32_t is_exclusive; /**< 1 if an element does not count to its own sum */
    int32_t is_reversed;  /**< 1 if sums begin at the end */
} ts_cumsum_f32_params;

/**
 * @brief `output[o,n,i] = sum over m up to n of input[o,m,i]`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[outer, length, inner]`
 * @param[out] output float `[outer, length, inner]`
 */
static inline __attribute__((always_inline)) void
ts_cumsum_f32(const ts_cumsum_f32_params *params, const float *input, float *output)
{
    const int32_t step = params->is_reversed ? -params->inner : params->inner;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < params->inner; i++) {
            int32_t at = o * params->length * params->inner + i;
            at += params->is_reversed ? (params->length - 1) * params->inner : 0;
            float sum = 0.0F;
            for (int32_t n = 0; n < params->length; n++, at += step) {
                const float before = sum;
                sum += input[at];
                output[at] = params->is_exclusive ? before : sum;
            }
        }
    }
}

#endif
