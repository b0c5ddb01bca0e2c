/**
 * @file
 * @brief SignalDelay, in portable C.
 */
#ifndef TS_SIGNAL_DELAY_S16_H
#define TS_SIGNAL_DELAY_S16_H

#include <stdint.h>

/** Parameters of ts_signal_delay_s16(). */
typedef struct {
    int32_t rows;    /**< signals, > 0 */
    int32_t samples; /**< of a signal, > 0 */
    int32_t delay;   /**< samples, > 0 */
} ts_signal_delay_s16_params;

/**
 * @brief `output[r, t] = input[r, t - delay]`, of what came before out of `kept`.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[rows, samples]`
 * @param[out] output int16 `[rows, samples]`
 * @param[in,out] kept int16 `[rows, delay]`, the samples still to come
 */
static inline __attribute__((always_inline)) void
ts_signal_delay_s16(const ts_signal_delay_s16_params *params, const int16_t *input,
                    int16_t *output, int16_t *kept)
{
    const int32_t samples = params->samples;
    const int32_t delay = params->delay;
    for (int32_t r = 0; r < params->rows; r++) {
        for (int32_t t = 0; t < samples; t++) {
            output[t] = t < delay ? kept[t] : input[t - delay];
        }
        for (int32_t t = 0; t < delay; t++) {
            kept[t] = t + samples < delay ? kept[t + samples] : input[t + samples - delay];
        }
        input += samples;
        output += samples;
        kept += delay;
    }
}

#endif
