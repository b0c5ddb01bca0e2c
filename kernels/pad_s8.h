/**
 * @file
 * @brief PAD on int8, in portable C.
 */
#ifndef TS_PAD_S8_H
#define TS_PAD_S8_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"

/** Parameters of ts_pad_s8(); dimension 3 is the innermost. */
typedef struct {
    int32_t value;     /**< what to pad with: the zero point, [-128, 127] */
    int32_t input_d0;  /**< size of the input, > 0 */
    int32_t before_d0; /**< padding before the input, >= 0 */
    int32_t after_d0;  /**< padding behind the input, >= 0 */
    int32_t input_d1;  /**< as input_d0 */
    int32_t before_d1; /**< as before_d0 */
    int32_t after_d1;  /**< as after_d0 */
    int32_t input_d2;  /**< as input_d0 */
    int32_t before_d2; /**< as before_d0 */
    int32_t after_d2;  /**< as after_d0 */
    int32_t input_d3;  /**< as input_d0 */
    int32_t before_d3; /**< as before_d0 */
    int32_t after_d3;  /**< as after_d0 */
} ts_pad_s8_params;

/** Write `count` times `value`; return where to write on. */
static inline int8_t *ts_pad_s8_fill(int8_t *output, int32_t value, int32_t count)
{
    for (int32_t e = 0; e < count; e++) {
        *output++ = (int8_t)value;
    }
    return output;
}

/**
 * @brief The input in a frame of `value`: each dimension grows to `before + input + after`.
 *
 * Goes through the output in order; the input's elements then come in order too.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[input_d0, input_d1, input_d2, input_d3]`, [-128, 127]
 * @param[out] output int8, the same dimensions grown, [-128, 127]
 */
static inline __attribute__((always_inline)) void ts_pad_s8(const ts_pad_s8_params *params,
                                                            const int8_t *input, int8_t *output)
{
    const int32_t row_length = params->before_d3 + params->input_d3 + params->after_d3;
    for (int32_t a = -params->before_d0; a < params->input_d0 + params->after_d0; a++) {
        const bool a_inside = a >= 0 && a < params->input_d0;
        for (int32_t b = -params->before_d1; b < params->input_d1 + params->after_d1; b++) {
            const bool b_inside = a_inside && b >= 0 && b < params->input_d1;
            for (int32_t c = -params->before_d2; c < params->input_d2 + params->after_d2; c++) {
                if (!b_inside || c < 0 || c >= params->input_d2) {
                    output = ts_pad_s8_fill(output, params->value, row_length);
                    continue;
                }
                output = ts_pad_s8_fill(output, params->value, params->before_d3);
                for (int32_t d = 0; d < params->input_d3; d++) {
                    *output++ = *input++;
                }
                output = ts_pad_s8_fill(output, params->value, params->after_d3);
            }
        }
    }
}

#endif
