/**
 * @file
 * @brief What the kernels that make uint8 share.
 */
#ifndef TS_QUANT_U8_H
#define TS_QUANT_U8_H

#include <stdint.h>

/**
 * @brief `x + offset` limited to [low, high].
 *
 * Clamps before it adds: `x` may be so large that the sum overflows.
 *
 * @param x any
 * @param offset [0, 255]
 * @param low [0, 255]
 * @param high [low, 255]
 */
static inline uint8_t ts_offset_clamp_u8(int32_t x, int32_t offset, int32_t low, int32_t high)
{
    const int32_t least = low - offset;
    const int32_t most = high - offset;
    return (uint8_t)((x < least ? least : x > most ? most : x) + offset);
}

#endif
