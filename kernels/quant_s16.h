/**
 * @file
 * @brief What the int16 kernels of elements share.
 */
#ifndef TS_QUANT_S16_H
#define TS_QUANT_S16_H

#include <stdint.h>

/**
 * @brief `x + offset` limited to [low, high].
 *
 * Clamps before it adds: `x` may be so large that the sum overflows.
 *
 * @param x any
 * @param offset [-32768, 32767]
 * @param low [-32768, 32767]
 * @param high [low, 32767]
 */
static inline int16_t ts_offset_clamp_s16(int32_t x, int32_t offset, int32_t low, int32_t high)
{
    const int32_t least = low - offset;
    const int32_t most = high - offset;
    return (int16_t)((x < least ? least : x > most ? most : x) + offset);
}

#endif
