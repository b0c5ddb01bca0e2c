/**
 * @file
 * @brief ARG_MIN on float32, in portable C.
 */
#ifndef TS_ARG_MIN_F32_H
#define TS_ARG_MIN_F32_H

#include <stdint.h>

/** Parameters of ts_arg_min_f32(). */
typedef struct {
    int32_t outer;        /**< elements before the axis, > 0 */
    int32_t length;       /**< elements along the axis, > 0 */
    int32_t inner;        /**< elements behind the axis, > 0 */
    int32_t output_bytes; /**< of an element: 4 or 8 */
} ts_arg_min_f32_params;

/**
 * @brief `output[o,i] = argmin over l of input[o,l,i]`, the first of equals.
 *
 * What is not a number is chosen only if it comes first, as the reference has it.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input float `[outer, length, inner]`
 * @param[out] output int32 or int64 `[outer, inner]`, [0, length)
 */
static inline __attribute__((always_inline)) void
ts_arg_min_f32(const ts_arg_min_f32_params *params, const float *input, void *output)
{
    int32_t *narrow = output;
    int64_t *wide = output;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < params->inner; i++) {
            const float *line = input + o * params->length * params->inner + i;
            float smallest = line[0];
            int32_t found = 0;
            for (int32_t l = 1; l < params->length; l++) {
                const float value = line[l * params->inner];
                if (value < smallest) {
                    smallest = value;
                    found = l;
                }
            }
            if (params->output_bytes == 8) {
                *wide++ = found;
            } else {
                *narrow++ = found;
            }
        }
    }
}

#endif
