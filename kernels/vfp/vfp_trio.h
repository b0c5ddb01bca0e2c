/**
 * @file
 * @brief Three neighbouring outputs of a depthwise filter of three columns, on an FPU.
 *
 * Each number of the input is loaded once for all outputs that need it, and so are the weights.
 */
#ifndef TS_VFP_TRIO_H
#define TS_VFP_TRIO_H

#include <stddef.h>
#include <stdint.h>

#include "vfp.h"
#include "vfp_window.h"

/**
 * @brief Outputs of three pixels side by side whose windows see nothing of the padding.
 *
 * The filter has three columns and moves by one. Twelve sums, three columns of the filter and one
 * of the input stay in registers: a product costs 3.4 cycles on a Cortex-M4.
 *
 * @param window the first pixel's; `turns` is of four channels, `input_row_bytes` leads from the
 * row's fifth column to the next row, `pitch_bytes` from pixel to pixel and from tap to tap
 * @return the state behind all of them
 */
static __attribute__((noinline)) int32_t ts_vfp_trio(ts_vfp_window *window)
{
    const float *input = window->input;
    const float *filter = window->filter;
    const float *bias = window->bias;
    float *output = window->output;
    int32_t state = window->state;
    const float *x;
    const float *w;
    int32_t left;
    __asm__ volatile(
        ".balign 4\n"
        "1:\n\t"
        "movs.w %[k], #0\n\t"
        "mov.w %[x], %[input]\n\t"
        "vmov s0, %[k]\n\t"
        "vmov s1, %[k]\n\t"
        "vmov s2, %[k]\n\t"
        "vmov s3, %[k]\n\t"
        "vmov s4, %[k]\n\t"
        "vmov s5, %[k]\n\t"
        "vmov s6, %[k]\n\t"
        "vmov s7, %[k]\n\t"
        "vmov s8, %[k]\n\t"
        "vmov s9, %[k]\n\t"
        "vmov s10, %[k]\n\t"
        "vmov s11, %[k]\n\t"
        "mov.w %[w], %[filter]\n\t"
        "ldr.w %[k], [%[window], #%c[rows]]\n"
        "2:\n\t"
        "vldmia %[w], {s12-s15}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        "subs.w %[k], %[k], #1\n\t"
        "vldmia %[w], {s16-s19}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        "vldmia %[x], {s24-s27}\n\t"
        "vldmia %[w], {s20-s23}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        "add.w %[x], %[x], %[pitch]\n\t"
        TS_VFP_MUL(28, 24, 12) TS_VFP_MUL(29, 25, 13) TS_VFP_MUL(30, 26, 14) TS_VFP_ADD(0, 0, 28)
        TS_VFP_MUL(28, 27, 15) TS_VFP_ADD(1, 1, 29) TS_VFP_ADD(2, 2, 30) TS_VFP_ADD(3, 3, 28)
        "vldmia %[x], {s24-s27}\n\t"
        "add.w %[x], %[x], %[pitch]\n\t"
        TS_VFP_MUL(28, 24, 16) TS_VFP_MUL(29, 25, 17) TS_VFP_MUL(30, 26, 18) TS_VFP_ADD(0, 0, 28)
        TS_VFP_MUL(28, 27, 19) TS_VFP_ADD(1, 1, 29) TS_VFP_MUL(29, 24, 12) TS_VFP_ADD(2, 2, 30)
        TS_VFP_MUL(30, 25, 13) TS_VFP_ADD(3, 3, 28) TS_VFP_MUL(28, 26, 14) TS_VFP_ADD(4, 4, 29)
        TS_VFP_MUL(29, 27, 15) TS_VFP_ADD(5, 5, 30) TS_VFP_ADD(6, 6, 28) TS_VFP_ADD(7, 7, 29)
        "vldmia %[x], {s24-s27}\n\t"
        "add.w %[x], %[x], %[pitch]\n\t"
        TS_VFP_MUL(28, 24, 20) TS_VFP_MUL(29, 25, 21) TS_VFP_MUL(30, 26, 22) TS_VFP_ADD(0, 0, 28)
        TS_VFP_MUL(28, 27, 23) TS_VFP_ADD(1, 1, 29) TS_VFP_MUL(29, 24, 16) TS_VFP_ADD(2, 2, 30)
        TS_VFP_MUL(30, 25, 17) TS_VFP_ADD(3, 3, 28) TS_VFP_MUL(28, 26, 18) TS_VFP_ADD(4, 4, 29)
        TS_VFP_MUL(29, 27, 19) TS_VFP_ADD(5, 5, 30) TS_VFP_MUL(30, 24, 12) TS_VFP_ADD(6, 6, 28)
        TS_VFP_MUL(28, 25, 13) TS_VFP_ADD(7, 7, 29) TS_VFP_MUL(29, 26, 14) TS_VFP_ADD(8, 8, 30)
        TS_VFP_MUL(30, 27, 15) TS_VFP_ADD(9, 9, 28) TS_VFP_ADD(10, 10, 29) TS_VFP_ADD(11, 11, 30)
        "vldmia %[x], {s24-s27}\n\t"
        "add.w %[x], %[x], %[pitch]\n\t"
        TS_VFP_MUL(28, 24, 20) TS_VFP_MUL(29, 25, 21) TS_VFP_MUL(30, 26, 22) TS_VFP_ADD(4, 4, 28)
        TS_VFP_MUL(28, 27, 23) TS_VFP_ADD(5, 5, 29) TS_VFP_MUL(29, 24, 16) TS_VFP_ADD(6, 6, 30)
        TS_VFP_MUL(30, 25, 17) TS_VFP_ADD(7, 7, 28) TS_VFP_MUL(28, 26, 18) TS_VFP_ADD(8, 8, 29)
        TS_VFP_MUL(29, 27, 19) TS_VFP_ADD(9, 9, 30) TS_VFP_ADD(10, 10, 28) TS_VFP_ADD(11, 11, 29)
        "vldmia %[x], {s24-s27}\n\t"
        "add.w %[x], %[x], %[row]\n\t"
        TS_VFP_MUL(28, 24, 20) TS_VFP_MUL(29, 25, 21) TS_VFP_MUL(30, 26, 22) TS_VFP_ADD(8, 8, 28)
        TS_VFP_MUL(28, 27, 23) TS_VFP_ADD(9, 9, 29) TS_VFP_ADD(10, 10, 30) TS_VFP_ADD(11, 11, 28)
        "bne.w 2b\n\t"
        "vldmia %[bias], {s12-s15}\n\t"
        TS_VFP_ADD(0, 0, 12) TS_VFP_ADD(1, 1, 13) TS_VFP_ADD(2, 2, 14) TS_VFP_ADD(3, 3, 15)
        TS_VFP_ADD(4, 4, 12) TS_VFP_ADD(5, 5, 13) TS_VFP_ADD(6, 6, 14) TS_VFP_ADD(7, 7, 15)
        TS_VFP_ADD(8, 8, 12) TS_VFP_ADD(9, 9, 13) TS_VFP_ADD(10, 10, 14) TS_VFP_ADD(11, 11, 15)
        TS_VFP_ADD(16, 0, 4) TS_VFP_ADD(17, 1, 5) TS_VFP_ADD(18, 2, 6) TS_VFP_ADD(19, 3, 7)
        TS_VFP_ADD(16, 16, 8) TS_VFP_ADD(17, 17, 9) TS_VFP_ADD(18, 18, 10) TS_VFP_ADD(19, 19, 11)
        TS_VFP_ADD(16, 16, 17) TS_VFP_ADD(18, 18, 19)
        "mov.w %[w], %[y]\n\t"
        TS_VFP_ADD(16, 16, 18)
        "vsub.f32 s16, s16, s16\n\t"
        "vcmp.f32 s16, s16\n\t"
        "vmrs %[k], fpscr\n\t"
        "and.w %[k], %[k], #0x10000000\n\t"
        "orr.w %[state], %[state], %[k], lsr #27\n\t"
        "cmp.w %[state], #1\n\t"
        "bne.w 3f\n\t"
        TS_VFP_RELU_4("%[w]", 0, 1, 2, 3, 0, 4, 8, 12)
        "add.w %[w], %[w], %[pitch]\n\t"
        TS_VFP_RELU_4("%[w]", 4, 5, 6, 7, 0, 4, 8, 12)
        "add.w %[w], %[w], %[pitch]\n\t"
        TS_VFP_RELU_4("%[w]", 8, 9, 10, 11, 0, 4, 8, 12)
        "b.w 4f\n"
        "3:\n\t"
        "vstmia %[w], {s0-s3}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        "vstmia %[w], {s4-s7}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        "vstmia %[w], {s8-s11}\n"
        "4:\n\t"
        "ldr.w %[k], [%[window], #%c[step]]\n\t"
        "ldr.w %[x], [%[window], #%c[turns]]\n\t"
        "add.w %[input], %[input], %[k]\n\t"
        "add.w %[filter], %[filter], %[k]\n\t"
        "add.w %[bias], %[bias], %[k]\n\t"
        "add.w %[y], %[y], %[k]\n\t"
        "subs.w %[x], %[x], #1\n\t"
        "str.w %[x], [%[window], #%c[turns]]\n\t"
        "bne.w 1b\n\t"
        : [input] "+r"(input), [filter] "+r"(filter), [bias] "+r"(bias), [y] "+r"(output),
          [state] "+r"(state), [x] "=&r"(x), [w] "=&r"(w), [k] "=&r"(left)
        : [window] "r"(window), [pitch] "r"(window->pitch_bytes),
          [row] "r"(window->input_row_bytes), [rows] "i"(offsetof(ts_vfp_window, rows)),
          [step] "i"(offsetof(ts_vfp_window, step_bytes)),
          [turns] "i"(offsetof(ts_vfp_window, turns))
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",
          "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",
          "s26", "s27", "s28", "s29", "s30", "cc", "memory");
    return state;
}

#endif
