/**
 * @file
 * @brief The functions of an LSTM's gates, interpolated in one table.
 */
#ifndef TS_LSTM_GATES_H
#define TS_LSTM_GATES_H

#include <stdint.h>

/** `x` limited to int16. */
static inline int32_t ts_lstm_saturated(int32_t x)
{
    return x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x;
}

/** Interpolate in the table, `bits` bits between entries; `magnitude >> bits` below 255. */
static inline int32_t ts_lstm_interpolated(const uint16_t *table, int32_t magnitude, int32_t bits)
{
    const int32_t below = table[magnitude >> bits];
    const int32_t above = table[(magnitude >> bits) + 1];
    return (below << bits) + (magnitude & ((1 << bits) - 1)) * (above - below);
}

/** Sigmoid in Q0.15 of `x` in Q3.12. */
static inline int32_t ts_lstm_sigmoid(const uint16_t *table, int32_t x)
{
    const int32_t magnitude = (x < 0 ? -x : x) * 3;
    const int32_t found =
        magnitude >> 9 >= 255 ? INT16_MAX << 10 : ts_lstm_interpolated(table, magnitude, 9);
    return (x >= 0 ? found + 512 : (1 << 25) - found + 511) >> 10;
}

/** Tanh in Q0.15; an entry of the table is 256 of `x`. */
static inline int32_t ts_lstm_tanh(const uint16_t *table, int32_t x)
{
    const int32_t magnitude = x < 0 ? -x : x;
    const int32_t found =
        magnitude >> 8 >= 255 ? UINT16_MAX << 8 : ts_lstm_interpolated(table, magnitude, 8);
    return (x >= 0 ? found - (1 << 23) + 128 : (1 << 23) - found + 127) >> 8;
}

#endif
