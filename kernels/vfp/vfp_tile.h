/**
 * @file
 * @brief Five columns of numbers times filters, four output channels at a time, on an FPU.
 *
 * Twenty sums stay in registers: a product costs 2 cycles and 11/20 for loading its factors.
 */
#ifndef TS_VFP_TILE_H
#define TS_VFP_TILE_H

#include <stdint.h>

#include "vfp.h"

/** The first product of five pixels and four channels. */
#define TS_VFP_TILE_FIRST                                                                          \
    "vldmia %[x]!, {s24-s28}\n\tvldmia %[w]!, {s20-s23}\n\t"                                       \
    TS_VFP_MUL(0, 24, 20) TS_VFP_MUL(1, 24, 21) TS_VFP_MUL(2, 24, 22) TS_VFP_MUL(3, 24, 23)        \
    TS_VFP_MUL(4, 25, 20) TS_VFP_MUL(5, 25, 21) TS_VFP_MUL(6, 25, 22) TS_VFP_MUL(7, 25, 23)        \
    TS_VFP_MUL(8, 26, 20) TS_VFP_MUL(9, 26, 21) TS_VFP_MUL(10, 26, 22) TS_VFP_MUL(11, 26, 23)      \
    TS_VFP_MUL(12, 27, 20) TS_VFP_MUL(13, 27, 21) TS_VFP_MUL(14, 27, 22) TS_VFP_MUL(15, 27, 23)    \
    TS_VFP_MUL(16, 28, 20) TS_VFP_MUL(17, 28, 21) TS_VFP_MUL(18, 28, 22) TS_VFP_MUL(19, 28, 23)

/** One product more. */
#define TS_VFP_TILE_STEP                                                                           \
    "vldmia %[x]!, {s24-s28}\n\tvldmia %[w]!, {s20-s23}\n\t"                                       \
    TS_VFP_MUL(29, 24, 20) TS_VFP_MUL(30, 24, 21) TS_VFP_MUL(31, 24, 22) TS_VFP_ADD(0, 0, 29)      \
    TS_VFP_MUL(29, 24, 23) TS_VFP_ADD(1, 1, 30) TS_VFP_MUL(30, 25, 20) TS_VFP_ADD(2, 2, 31)        \
    TS_VFP_MUL(31, 25, 21) TS_VFP_ADD(3, 3, 29) TS_VFP_MUL(29, 25, 22) TS_VFP_ADD(4, 4, 30)        \
    TS_VFP_MUL(30, 25, 23) TS_VFP_ADD(5, 5, 31) TS_VFP_MUL(31, 26, 20) TS_VFP_ADD(6, 6, 29)        \
    TS_VFP_MUL(29, 26, 21) TS_VFP_ADD(7, 7, 30) TS_VFP_MUL(30, 26, 22) TS_VFP_ADD(8, 8, 31)        \
    TS_VFP_MUL(31, 26, 23) TS_VFP_ADD(9, 9, 29) TS_VFP_MUL(29, 27, 20) TS_VFP_ADD(10, 10, 30)      \
    TS_VFP_MUL(30, 27, 21) TS_VFP_ADD(11, 11, 31) TS_VFP_MUL(31, 27, 22) TS_VFP_ADD(12, 12, 29)    \
    TS_VFP_MUL(29, 27, 23) TS_VFP_ADD(13, 13, 30) TS_VFP_MUL(30, 28, 20) TS_VFP_ADD(14, 14, 31)    \
    TS_VFP_MUL(31, 28, 21) TS_VFP_ADD(15, 15, 29) TS_VFP_MUL(29, 28, 22) TS_VFP_ADD(16, 16, 30)    \
    TS_VFP_MUL(30, 28, 23) TS_VFP_ADD(17, 17, 31) TS_VFP_ADD(18, 18, 29) TS_VFP_ADD(19, 19, 30)

/**
 * @brief `output[p, o] = bias[o] + sum columns[k, p] * weights[o / 4, k, o % 4]` for five pixels.
 *
 * @param[in] columns `[count, 5]`, numbers of five pixels side by side
 * @param[in] weights `[blocks, count, 4]`
 * @param[in] bias `[4 * blocks]`
 * @param count > 0
 * @param blocks of four channels, > 0
 * @param state see ts_vfp_begin()
 * @param[out] output 4 * blocks numbers for each pixel
 * @param pitch_bytes from a pixel of the output to the next
 * @return the state behind all of them
 */
static __attribute__((noinline)) int32_t ts_vfp_tile(const float *columns, const float *weights,
                                                     const float *bias, int32_t count,
                                                     int32_t blocks, int32_t state, float *output,
                                                     int32_t pitch_bytes)
{
    const float *next;
    float *pixel;
    int32_t left;
    __asm__ volatile(
        ".balign 4\n"
        "1:\n\t"
        "mov.w %[x], %[columns]\n\t"
        TS_VFP_TILE_FIRST
        "lsrs.w %[k], %[count], #1\n\t"
        "beq.w 4f\n\t"
        "bcc.w 3f\n"
        "2:\n\t"
        TS_VFP_TILE_STEP
        "3:\n\t"
        TS_VFP_TILE_STEP
        "subs.w %[k], %[k], #1\n\t"
        "bne.w 2b\n"
        "4:\n\t"
        "vldmia %[bias]!, {s20-s23}\n\t"
        TS_VFP_ADD(0, 0, 20) TS_VFP_ADD(1, 1, 21) TS_VFP_ADD(2, 2, 22) TS_VFP_ADD(3, 3, 23)
        TS_VFP_ADD(4, 4, 20) TS_VFP_ADD(5, 5, 21) TS_VFP_ADD(6, 6, 22) TS_VFP_ADD(7, 7, 23)
        TS_VFP_ADD(8, 8, 20) TS_VFP_ADD(9, 9, 21) TS_VFP_ADD(10, 10, 22) TS_VFP_ADD(11, 11, 23)
        TS_VFP_ADD(12, 12, 20) TS_VFP_ADD(13, 13, 21) TS_VFP_ADD(14, 14, 22) TS_VFP_ADD(15, 15, 23)
        TS_VFP_ADD(16, 16, 20) TS_VFP_ADD(17, 17, 21) TS_VFP_ADD(18, 18, 22) TS_VFP_ADD(19, 19, 23)
        /* The sum of numbers that are not finite is none either; less itself it is NaN. */
        TS_VFP_ADD(24, 0, 4) TS_VFP_ADD(25, 1, 5) TS_VFP_ADD(26, 2, 6) TS_VFP_ADD(27, 3, 7)
        TS_VFP_ADD(24, 24, 8) TS_VFP_ADD(25, 25, 9) TS_VFP_ADD(26, 26, 10) TS_VFP_ADD(27, 27, 11)
        TS_VFP_ADD(24, 24, 12) TS_VFP_ADD(25, 25, 13) TS_VFP_ADD(26, 26, 14) TS_VFP_ADD(27, 27, 15)
        TS_VFP_ADD(24, 24, 16) TS_VFP_ADD(25, 25, 17) TS_VFP_ADD(26, 26, 18) TS_VFP_ADD(27, 27, 19)
        TS_VFP_ADD(24, 24, 25) TS_VFP_ADD(26, 26, 27)
        "mov.w %[pixel], %[y]\n\t"
        TS_VFP_ADD(24, 24, 26)
        "add.w %[y], %[y], #16\n\t"
        "vsub.f32 s24, s24, s24\n\t"
        "vcmp.f32 s24, s24\n\t"
        "vmrs %[k], fpscr\n\t"
        "and.w %[k], %[k], #0x10000000\n\t"
        "orr.w %[state], %[state], %[k], lsr #27\n\t"
        "cmp.w %[state], #1\n\t"
        "bne.w 5f\n\t"
        TS_VFP_RELU_4("%[pixel]", 0, 1, 2, 3, 0, 4, 8, 12)
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        TS_VFP_RELU_4("%[pixel]", 4, 5, 6, 7, 0, 4, 8, 12)
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        TS_VFP_RELU_4("%[pixel]", 8, 9, 10, 11, 0, 4, 8, 12)
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        TS_VFP_RELU_4("%[pixel]", 12, 13, 14, 15, 0, 4, 8, 12)
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        TS_VFP_RELU_4("%[pixel]", 16, 17, 18, 19, 0, 4, 8, 12)
        "b.w 6f\n"
        "5:\n\t"
        "vstmia %[pixel], {s0-s3}\n\t"
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        "vstmia %[pixel], {s4-s7}\n\t"
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        "vstmia %[pixel], {s8-s11}\n\t"
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        "vstmia %[pixel], {s12-s15}\n\t"
        "add.w %[pixel], %[pixel], %[pitch]\n\t"
        "vstmia %[pixel], {s16-s19}\n"
        "6:\n\t"
        "subs.w %[blocks], %[blocks], #1\n\t"
        "bne.w 1b\n\t"
        : [w] "+r"(weights), [bias] "+r"(bias), [blocks] "+r"(blocks), [state] "+r"(state),
          [y] "+r"(output), [x] "=&r"(next), [pixel] "=&r"(pixel), [k] "=&r"(left)
        : [columns] "r"(columns), [count] "r"(count), [pitch] "r"(pitch_bytes)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",
          "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",
          "s26", "s27", "s28", "s29", "s30", "s31", "cc", "memory");
    return state;
}

#endif
