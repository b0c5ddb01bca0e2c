/**
 * @file
 * @brief Window of audio, int16, in portable C.
 */
#ifndef TS_SIGNAL_WINDOW_S16_H
#define TS_SIGNAL_WINDOW_S16_H

#include <stdint.h>

/** Parameters of ts_signal_window_s16(). */
typedef struct {
    int32_t rows;  /**< N, > 0 */
    int32_t size;  /**< I, > 0 */
    int32_t shift; /**< to the right, [0, 31] */
} ts_signal_window_s16_params;

/**
 * @brief `output[n,i] = saturate((input[n,i] * window[i]) >> shift)`.
 *
 * @param params sizes and shift, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[N, I]`
 * @param[in] window int16 `[I]`
 * @param[out] output int16 `[N, I]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_signal_window_s16(const ts_signal_window_s16_params *params, const int16_t *input,
                     const int16_t *window, int16_t *output)
{
    for (int32_t n = 0; n < params->rows; n++) {
        for (int32_t i = 0; i < params->size; i++) {
            const int32_t scaled = (*input++ * window[i]) >> params->shift;
            *output++ = (int16_t)(scaled < INT16_MIN   ? INT16_MIN
                                  : scaled > INT16_MAX ? INT16_MAX
                                                       : scaled);
        }
    }
}

#endif
