/**
 * @file
 * @brief LOGISTIC on int16, in portable C.
 */
#ifndef TS_LOGISTIC_S16_H
#define TS_LOGISTIC_S16_H

#include <stdint.h>

/** Parameters of ts_logistic_s16(). */
typedef struct {
    int32_t elements;   /**< > 0 */
    int32_t multiplier; /**< brings the input to the table's argument, [0, 32767] */
    int32_t shift;      /**< right, behind the multiplication, [0, 31] */
} ts_logistic_s16_params;

/**
 * @brief `output[e] = 1 / (1 + e^-x)` in Q0.15, interpolated in a table of the sigmoid.
 *
 * @param params size and scale, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`, [-32768, 32767]
 * @param[in] table uint16 `[256]`: `sigmoid(i / 24)` in Q0.16
 * @param[out] output int16 `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_logistic_s16(const ts_logistic_s16_params *params, const int16_t *input, const uint16_t *table,
                int16_t *output)
{
    const int32_t half = params->shift > 0 ? (int32_t)(UINT32_C(1) << (params->shift - 1)) : 0;
    for (int32_t e = 0; e < params->elements; e++) {
        const int32_t argument = (input[e] * params->multiplier + half) >> params->shift;
        const int32_t magnitude = argument < 0 ? -argument : argument;
        const int32_t index = magnitude >> 9;
        int32_t y = (0x7FFF << 10);
        if (index < 255) {
            const int32_t step = table[index + 1] - table[index];
            y = (table[index] << 9) + (magnitude & 511) * step;
        }
        output[e] = (int16_t)((argument >= 0 ? y + (1 << 9) : (1 << 25) - y + (1 << 9) - 1) >> 10);
    }
}

#endif
