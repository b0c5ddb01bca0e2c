/**
 * @file
 * @brief SignalOverlapAdd on int16, in portable C.
 */
#ifndef TS_SIGNAL_OVERLAP_ADD_S16_H
#define TS_SIGNAL_OVERLAP_ADD_S16_H

#include <stdint.h>

/** Parameters of ts_signal_overlap_add_s16(). */
typedef struct {
    int32_t rows;   /**< signals, > 0 */
    int32_t frames; /**< of a signal, > 0 */
    int32_t size;   /**< samples of a frame, > 0 */
    int32_t step;   /**< samples from one frame to the next, [1, size] */
} ts_signal_overlap_add_s16_params;

/**
 * @brief Add every frame to the sums and give the first `step` of them, which are complete.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[rows, frames, size]`
 * @param[out] output int16 `[rows, frames, step]`
 * @param[in,out] sums int16 `[rows, size]`
 */
static inline __attribute__((always_inline)) void
ts_signal_overlap_add_s16(const ts_signal_overlap_add_s16_params *params, const int16_t *input,
                          int16_t *output, int16_t *sums)
{
    for (int32_t r = 0; r < params->rows; r++) {
        for (int32_t n = 0; n < params->frames; n++) {
            for (int32_t i = 0; i < params->size; i++) {
                const int32_t sum = sums[i] + *input++;
                sums[i] =
                    (int16_t)(sum < INT16_MIN ? INT16_MIN : sum > INT16_MAX ? INT16_MAX : sum);
            }
            for (int32_t i = 0; i < params->step; i++) {
                *output++ = sums[i];
            }
            for (int32_t i = 0; i < params->size; i++) {
                sums[i] = i + params->step < params->size ? sums[i + params->step] : 0;
            }
        }
        sums += params->size;
    }
}

#endif
