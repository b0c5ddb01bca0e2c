/**
 * @file
 * @brief SignalStacker, in portable C.
 */
#ifndef TS_SIGNAL_STACKER_S16_H
#define TS_SIGNAL_STACKER_S16_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_signal_stacker_s16(). */
typedef struct {
    int32_t channels; /**< elements of a row, > 0 */
    int32_t rows;     /**< of the stack, > 0 */
    int32_t left;     /**< times that the first row counts more, [0, rows) */
    int32_t step;     /**< rows that a full stack loses, [1, rows] */
} ts_signal_stacker_s16_params;

/**
 * @brief Put a row on the stack and show it.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[channels]`
 * @param[out] output int16 `[rows, channels]`
 * @param[out] valid whether the stack is full
 * @param[in,out] stack int16 `[rows, channels]`
 * @param[in,out] count rows of the stack, [-1, rows); -1 before the first
 */
static inline __attribute__((always_inline)) void
ts_signal_stacker_s16(const ts_signal_stacker_s16_params *params, const int16_t *input,
                      int16_t *output, bool *valid, int16_t *stack, int32_t *count)
{
    const int32_t elements = params->rows * params->channels;
    const int32_t first = *count < 0 ? 0 : *count;
    int32_t held = *count < 0 ? params->left + 1 : first + 1;
    for (int32_t r = first; r < held; r++) {
        for (int32_t c = 0; c < params->channels; c++) {
            stack[r * params->channels + c] = input[c];
        }
    }
    for (int32_t e = 0; e < elements; e++) {
        output[e] = stack[e];
    }
    *valid = held == params->rows;
    if (held == params->rows) {
        held -= params->step;
        for (int32_t e = 0; e < held * params->channels; e++) {
            stack[e] = stack[e + params->step * params->channels];
        }
    }
    *count = held;
}

#endif
