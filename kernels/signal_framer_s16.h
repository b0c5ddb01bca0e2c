/**
 * @file
 * @brief SignalFramer, in portable C.
 */
#ifndef TS_SIGNAL_FRAMER_S16_H
#define TS_SIGNAL_FRAMER_S16_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_signal_framer_s16(). */
typedef struct {
    int32_t rows;   /**< signals, > 0 */
    int32_t frames; /**< that an inference gives, > 0 */
    int32_t size;   /**< samples of a frame, > 0 */
    int32_t step;   /**< samples from one frame to the next, [1, size] */
    int32_t kept;   /**< samples that the first frame begins with, [size - step, size) */
} ts_signal_framer_s16_params;

/**
 * @brief `output[r, n, i] = signal[r, n * step + i]`, the signal being `kept` and then the input.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[rows, frames * step]`
 * @param[out] output int16 `[rows, frames, size]`
 * @param[out] valid whether all samples of all frames have come
 * @param[in,out] state int16 `[rows, kept]`, or one element that is not used
 * @param[in,out] missing steps until frames are valid, not negative
 */
static inline __attribute__((always_inline)) void
ts_signal_framer_s16(const ts_signal_framer_s16_params *params, const int16_t *input,
                     int16_t *output, bool *valid, int16_t *state, int32_t *missing)
{
    const int32_t kept = params->kept;
    const int32_t samples = params->frames * params->step;
    for (int32_t r = 0; r < params->rows; r++) {
        for (int32_t n = 0; n < params->frames; n++) {
            const int32_t first = n * params->step;
            for (int32_t i = first; i < first + params->size; i++) {
                *output++ = i < kept ? state[i] : input[i - kept];
            }
        }
        for (int32_t i = 0; i < kept; i++) {
            state[i] = i + samples < kept ? state[i + samples] : input[i + samples - kept];
        }
        input += samples;
        state += kept;
    }
    *valid = *missing == 0;
    *missing = *missing > params->frames ? *missing - params->frames : 0;
}

#endif
