/**
 * @file
 * @brief ARG_MAX on int8, in portable C.
 */
#ifndef TS_ARG_MAX_S8_H
#define TS_ARG_MAX_S8_H

#include <stdint.h>

/** Parameters of ts_arg_max_s8(). */
typedef struct {
    int32_t outer;        /**< elements before the axis, > 0 */
    int32_t length;       /**< elements along the axis, > 0 */
    int32_t inner;        /**< elements behind the axis, > 0 */
    int32_t output_bytes; /**< of an element: 4 or 8 */
} ts_arg_max_s8_params;

/**
 * @brief `output[o,i] = argmax over l of input[o,l,i]`, the first of equals.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[outer, length, inner]`
 * @param[out] output int32 or int64 `[outer, inner]`, [0, length)
 */
static inline __attribute__((always_inline)) void ts_arg_max_s8(const ts_arg_max_s8_params *params,
                                                                const int8_t *input, void *output)
{
    int32_t *narrow = output;
    int64_t *wide = output;
    for (int32_t o = 0; o < params->outer; o++) {
        for (int32_t i = 0; i < params->inner; i++) {
            const int8_t *line = input + o * params->length * params->inner + i;
            int8_t largest = line[0];
            int32_t found = 0;
            for (int32_t l = 1; l < params->length; l++) {
                const int8_t value = line[l * params->inner];
                if (value > largest) {
                    largest = value;
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
