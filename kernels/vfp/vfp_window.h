/**
 * @file
 * @brief One output of a depthwise filter, eight or four channels at a time, on an FPU.
 */
#ifndef TS_VFP_WINDOW_H
#define TS_VFP_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "vfp.h"

/** What a depthwise filter sees from one place; the padding is cut off. */
typedef struct {
    const float *input;         /**< first number seen, at the first channel */
    const float *filter;        /**< its weight */
    const float *bias;          /**< of the first channel */
    float *output;              /**< first channel of the pixel */
    int32_t rows;               /**< of taps, > 0 */
    int32_t columns;            /**< of taps, > 0 */
    int32_t input_column_bytes; /**< from tap to tap in a row */
    int32_t input_row_bytes;    /**< from behind a row's last tap to the next row */
    int32_t filter_row_bytes;   /**< the same in the filter */
    int32_t pitch_bytes;        /**< from tap to tap in the filter */
    int32_t step_bytes;         /**< from turn to turn in all of them; only ts_vfp_trio() asks */
    int32_t turns;              /**< groups of channels, > 0 */
    int32_t state;              /**< see ts_vfp_begin() */
} ts_vfp_window;

/**
 * @brief Outputs of one pixel, eight channels a turn: a product costs 4.9 cycles on a Cortex-M4.
 * @param[in,out] window is moved behind the channels; `state` is kept up to date
 */
static __attribute__((noinline)) void ts_vfp_window_8(ts_vfp_window *window)
{
    const float *input = window->input;
    const float *filter = window->filter;
    const float *x;
    const float *w;
    int32_t rows;
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
        "mov.w %[w], %[filter]\n\t"
        "ldr.w %[i], [%[window], #%c[rows]]\n"
        "2:\n\t"
        "mov.w %[k], %[columns]\n"
        "3:\n\t"
        "vldmia %[x], {s8-s15}\n\t"
        "add.w %[x], %[x], %[column]\n\t"
        "subs.w %[k], %[k], #1\n\t"
        "vldmia %[w], {s16-s23}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        TS_VFP_MUL(24, 8, 16) TS_VFP_MUL(25, 9, 17) TS_VFP_MUL(26, 10, 18) TS_VFP_ADD(0, 0, 24)
        TS_VFP_MUL(24, 11, 19) TS_VFP_ADD(1, 1, 25) TS_VFP_MUL(25, 12, 20) TS_VFP_ADD(2, 2, 26)
        TS_VFP_MUL(26, 13, 21) TS_VFP_ADD(3, 3, 24) TS_VFP_MUL(24, 14, 22) TS_VFP_ADD(4, 4, 25)
        TS_VFP_MUL(25, 15, 23) TS_VFP_ADD(5, 5, 26) TS_VFP_ADD(6, 6, 24) TS_VFP_ADD(7, 7, 25)
        "bne.w 3b\n\t"
        "add.w %[x], %[x], %[row]\n\t"
        "subs.w %[i], %[i], #1\n\t"
        "add.w %[w], %[w], %[frow]\n\t"
        "bne.w 2b\n\t"
        "ldr.w %[w], [%[window], #%c[bias]]\n\t"
        "ldr.w %[i], [%[window], #%c[state]]\n\t"
        "vldmia %[w]!, {s8-s15}\n\t"
        "str.w %[w], [%[window], #%c[bias]]\n\t"
        TS_VFP_ADD(0, 0, 8) TS_VFP_ADD(1, 1, 9) TS_VFP_ADD(2, 2, 10) TS_VFP_ADD(3, 3, 11)
        TS_VFP_ADD(4, 4, 12) TS_VFP_ADD(5, 5, 13) TS_VFP_ADD(6, 6, 14) TS_VFP_ADD(7, 7, 15)
        TS_VFP_ADD(16, 0, 4) TS_VFP_ADD(17, 1, 5) TS_VFP_ADD(18, 2, 6) TS_VFP_ADD(19, 3, 7)
        TS_VFP_ADD(16, 16, 17) TS_VFP_ADD(18, 18, 19)
        "ldr.w %[w], [%[window], #%c[output]]\n\t"
        TS_VFP_ADD(16, 16, 18)
        "add.w %[input], %[input], #32\n\t"
        "vsub.f32 s16, s16, s16\n\t"
        "vcmp.f32 s16, s16\n\t"
        "vmrs %[k], fpscr\n\t"
        "and.w %[k], %[k], #0x10000000\n\t"
        "orr.w %[i], %[i], %[k], lsr #27\n\t"
        "str.w %[i], [%[window], #%c[state]]\n\t"
        "cmp.w %[i], #1\n\t"
        "bne.w 4f\n\t"
        TS_VFP_RELU_4("%[w]", 0, 1, 2, 3, 0, 4, 8, 12)
        TS_VFP_RELU_4("%[w]", 4, 5, 6, 7, 16, 20, 24, 28)
        "add.w %[w], %[w], #32\n\t"
        "b.w 5f\n"
        "4:\n\t"
        "vstmia %[w]!, {s0-s7}\n"
        "5:\n\t"
        "ldr.w %[k], [%[window], #%c[turns]]\n\t"
        "str.w %[w], [%[window], #%c[output]]\n\t"
        "add.w %[filter], %[filter], #32\n\t"
        "subs.w %[k], %[k], #1\n\t"
        "str.w %[k], [%[window], #%c[turns]]\n\t"
        "bne.w 1b\n\t"
        : [input] "+r"(input), [filter] "+r"(filter), [x] "=&r"(x), [w] "=&r"(w),
          [i] "=&r"(rows), [k] "=&r"(left)
        : [window] "r"(window), [columns] "r"(window->columns), [pitch] "r"(window->pitch_bytes),
          [column] "r"(window->input_column_bytes), [row] "r"(window->input_row_bytes),
          [frow] "r"(window->filter_row_bytes), [rows] "i"(offsetof(ts_vfp_window, rows)),
          [bias] "i"(offsetof(ts_vfp_window, bias)), [output] "i"(offsetof(ts_vfp_window, output)),
          [turns] "i"(offsetof(ts_vfp_window, turns)), [state] "i"(offsetof(ts_vfp_window, state))
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",
          "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",
          "s26", "cc", "memory");
    window->input = input;
    window->filter = filter;
}

/**
 * @brief Outputs of one pixel, four channels a turn.
 * @param[in,out] window is moved behind the channels; `state` is kept up to date
 */
static __attribute__((noinline)) void ts_vfp_window_4(ts_vfp_window *window)
{
    const float *input = window->input;
    const float *filter = window->filter;
    const float *x;
    const float *w;
    int32_t rows;
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
        "mov.w %[w], %[filter]\n\t"
        "ldr.w %[i], [%[window], #%c[rows]]\n"
        "2:\n\t"
        "mov.w %[k], %[columns]\n"
        "3:\n\t"
        "vldmia %[x], {s8-s11}\n\t"
        "add.w %[x], %[x], %[column]\n\t"
        "subs.w %[k], %[k], #1\n\t"
        "vldmia %[w], {s16-s19}\n\t"
        "add.w %[w], %[w], %[pitch]\n\t"
        TS_VFP_MUL(24, 8, 16) TS_VFP_MUL(25, 9, 17) TS_VFP_MUL(26, 10, 18) TS_VFP_ADD(0, 0, 24)
        TS_VFP_MUL(24, 11, 19) TS_VFP_ADD(1, 1, 25) TS_VFP_ADD(2, 2, 26) TS_VFP_ADD(3, 3, 24)
        "bne.w 3b\n\t"
        "add.w %[x], %[x], %[row]\n\t"
        "subs.w %[i], %[i], #1\n\t"
        "add.w %[w], %[w], %[frow]\n\t"
        "bne.w 2b\n\t"
        "ldr.w %[w], [%[window], #%c[bias]]\n\t"
        "ldr.w %[i], [%[window], #%c[state]]\n\t"
        "vldmia %[w]!, {s8-s11}\n\t"
        "str.w %[w], [%[window], #%c[bias]]\n\t"
        TS_VFP_ADD(0, 0, 8) TS_VFP_ADD(1, 1, 9) TS_VFP_ADD(2, 2, 10) TS_VFP_ADD(3, 3, 11)
        TS_VFP_ADD(16, 0, 1) TS_VFP_ADD(18, 2, 3)
        "ldr.w %[w], [%[window], #%c[output]]\n\t"
        TS_VFP_ADD(16, 16, 18)
        "add.w %[input], %[input], #16\n\t"
        "vsub.f32 s16, s16, s16\n\t"
        "vcmp.f32 s16, s16\n\t"
        "vmrs %[k], fpscr\n\t"
        "and.w %[k], %[k], #0x10000000\n\t"
        "orr.w %[i], %[i], %[k], lsr #27\n\t"
        "str.w %[i], [%[window], #%c[state]]\n\t"
        "cmp.w %[i], #1\n\t"
        "bne.w 4f\n\t"
        TS_VFP_RELU_4("%[w]", 0, 1, 2, 3, 0, 4, 8, 12)
        "add.w %[w], %[w], #16\n\t"
        "b.w 5f\n"
        "4:\n\t"
        "vstmia %[w]!, {s0-s3}\n"
        "5:\n\t"
        "ldr.w %[k], [%[window], #%c[turns]]\n\t"
        "str.w %[w], [%[window], #%c[output]]\n\t"
        "add.w %[filter], %[filter], #16\n\t"
        "subs.w %[k], %[k], #1\n\t"
        "str.w %[k], [%[window], #%c[turns]]\n\t"
        "bne.w 1b\n\t"
        : [input] "+r"(input), [filter] "+r"(filter), [x] "=&r"(x), [w] "=&r"(w),
          [i] "=&r"(rows), [k] "=&r"(left)
        : [window] "r"(window), [columns] "r"(window->columns), [pitch] "r"(window->pitch_bytes),
          [column] "r"(window->input_column_bytes), [row] "r"(window->input_row_bytes),
          [frow] "r"(window->filter_row_bytes), [rows] "i"(offsetof(ts_vfp_window, rows)),
          [bias] "i"(offsetof(ts_vfp_window, bias)), [output] "i"(offsetof(ts_vfp_window, output)),
          [turns] "i"(offsetof(ts_vfp_window, turns)), [state] "i"(offsetof(ts_vfp_window, state))
        : "s0", "s1", "s2", "s3", "s8", "s9", "s10", "s11", "s16", "s17", "s18", "s19", "s24",
          "s25", "s26", "cc", "memory");
    window->input = input;
    window->filter = filter;
}

#endif
