/**
 * @file
 * @brief Raises audio as far as 16 bits allow, in portable C.
 */
#ifndef TS_SIGNAL_FFT_AUTO_SCALE_S16_H
#define TS_SIGNAL_FFT_AUTO_SCALE_S16_H

#include <stdint.h>

/** Parameters of ts_signal_fft_auto_scale_s16(). */
typedef struct {
    int32_t elements; /**< > 0 */
} ts_signal_fft_auto_scale_s16_params;

/**
 * @brief `output[i] = input[i] << scale`, the scale as large as the largest magnitude allows.
 *
 * -32768 counts as the least magnitude, as the reference has it; shifts then wrap.
 *
 * @param params number of elements, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements]`
 * @param[out] output int16 `[elements]`; may be the input
 * @param[out] scale int32, [0, 14]
 */
static inline __attribute__((always_inline)) void
ts_signal_fft_auto_scale_s16(const ts_signal_fft_auto_scale_s16_params *params,
                             const int16_t *input, int16_t *output, int32_t *scale)
{
    int32_t largest = 0;
    for (int32_t i = 0; i < params->elements; i++) {
        const int32_t magnitude = input[i] < 0 ? -input[i] : input[i];
        if (magnitude > largest) {
            largest = (int16_t)magnitude;
        }
    }
    int32_t bits = 0;
    if (largest > 0) {
        while (largest << bits < 1 << 14) {
            bits++;
        }
    }
    for (int32_t i = 0; i < params->elements; i++) {
        output[i] = (int16_t)(input[i] * (1 << bits));
    }
    *scale = bits;
}

#endif
