/**
 * @file
 * @brief A matrix of weights times two neighbouring windows of widened rows: see matrix_s8_dsp.h.
 *
 * Rows of an image lie in scratch as 16-bit numbers, `[x0, x2], [x1, x3]` of every four channels.
 * Two windows a pixel apart are read from there as they lie: nothing is gathered, and a pixel is
 * widened once for a row of outputs. How far the second window lies behind the first stands in the
 * instructions, so there is a worker for each usual number of channels.
 */
#ifndef TS_MATRIX_ROWS_S8_DSP_H
#define TS_MATRIX_ROWS_S8_DSP_H

#include <stdint.h>

#include "matrix_s8_dsp.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* The arguments on the stack; the word behind the first that was pushed is where a run ends. */
#define TS_ROWS_RUN "[sp, #52]"
#define TS_ROWS_JUMP "[sp, #56]"
#define TS_ROWS_END "[sp, #60]"
#define TS_ROWS_STREAM_END "[sp, #64]"
#define TS_ROWS_OFFSET "[sp, #68]"

/* Sixteen elements of rows, the second window `d` bytes behind the first. */
#define TS_ROWS_16(step, d)                                         \
    step("ldr.w", "0", "0 + " d, "0", "4", "4 + " d, "8")           \
    step("ldr.w", "4", "4 + " d, "8", "8", "8 + " d, "16")          \
    step("ldr.w", "8", "8 + " d, "16", "12", "12 + " d, "24")       \
    step("ldr.w", "12", "12 + " d, "24", "16", "16 + " d, "32")     \
    step("ldr.w", "16", "16 + " d, "32", "20", "20 + " d, "40")     \
    step("ldr.w", "20", "20 + " d, "40", "24", "24 + " d, "48")     \
    step("ldr.w", "24", "24 + " d, "48", "28", "28 + " d, "56")     \
    step("ldr.w", "28", "28 + " d, "56", "32", "32 + " d, "64")

/*
 * rows: the window of the first pixel, 4-byte aligned; stream: of a `whole` worker; run_bytes: what
 * a window takes of a row, a multiple of 32; jump_bytes: from there to the window's next row; end:
 * where the last run's jump leads to.
 */
#define TS_ROWS_WORKER(name, d, first, step, sign)                                               \
    TS_WORKER void name(const uint32_t *rows, const int32_t *stream, int8_t *output0,            \
                        int8_t *output1, int32_t run_bytes, int32_t jump_bytes,                  \
                        const uint32_t *end, const int32_t *stream_end, int32_t offset)          \
    {                                                                                            \
        __asm__ volatile(".syntax unified\n"                                                     \
                         "push {r0-r11, lr}\n"                                                   \
                         ".balign 4\n"                                                           \
                         "1:\n"                                                                  \
                         "ldr r2, " TS_ROWS_RUN "\n"                                             \
                         "ldmia r1!, {r8, r12}\n"                                                \
                         "add r2, r0\n"                                                          \
                         "str r2, [sp, #4]\n"                                                    \
                         "mov r6, r8\n"                                                          \
                         "mov r7, r8\n"                                                          \
                         "mov r9, r8\n"                                                          \
                         "mov r10, r12\n"                                                        \
                         "mov r11, r12\n"                                                        \
                         "mov lr, r12\n" first(d)                                                \
                         ".balign 4\n"                                                           \
                         "2:\n" TS_ROWS_16(step, d)                                              \
                         "ldr r5, [sp, #4]\n"                                                    \
                         "adds r0, #32\n"                                                        \
                         "adds r1, #64\n"                                                        \
                         "cmp r0, r5\n"                                                          \
                         "bne.w 2b\n"                                                            \
                         "ldr r3, " TS_ROWS_JUMP "\n"                                            \
                         "ldr r2, " TS_ROWS_RUN "\n"                                             \
                         "ldr r5, " TS_ROWS_END "\n"                                             \
                         "add r0, r3\n"                                                          \
                         "adds r2, r0, r2\n"                                                     \
                         "str r2, [sp, #4]\n"                                                    \
                         "cmp r0, r5\n" first(d)                                                 \
                         "bne.w 2b\n"                                                            \
                         "ldr r0, " TS_ROWS_OFFSET "\n"                                          \
                         TS_MATRIX_SCALE("r6", "r7", "r8", "r9", sign)                           \
                         TS_MATRIX_SCALE("r10", "r11", "r12", "lr", sign)                        \
                         "ldrd r2, r3, [sp, #8]\n" TS_MATRIX_STORE_4                             \
                         "strd r2, r3, [sp, #8]\n"                                               \
                         "ldr r0, [sp]\n"                                                        \
                         "ldr r2, " TS_ROWS_STREAM_END "\n"                                      \
                         "cmp r1, r2\n"                                                          \
                         "bne.w 1b\n"                                                            \
                         "add sp, #16\n"                                                         \
                         "pop {r4-r11, pc}\n");                                                  \
    }

#define TS_ROWS_WORKERS(channels, d)                                                             \
    TS_ROWS_WORKER(ts_matrix_rows_##channels, d, TS_MATRIX_FIRST, TS_MATRIX_STEP, TS_MATRIX_SIGN) \
    TS_ROWS_WORKER(ts_matrix_rows_##channels##_relu, d, TS_MATRIX_FIRST, TS_MATRIX_STEP,         \
                   TS_MATRIX_NO_SIGN)                                                            \
    TS_ROWS_WORKER(ts_matrix_rows_##channels##_paired, d, TS_MATRIX_PAIRED_FIRST,                \
                   TS_MATRIX_PAIRED_STEP, TS_MATRIX_SIGN)                                        \
    TS_ROWS_WORKER(ts_matrix_rows_##channels##_relu_paired, d, TS_MATRIX_PAIRED_FIRST,           \
                   TS_MATRIX_PAIRED_STEP, TS_MATRIX_NO_SIGN)

TS_ROWS_WORKERS(16, "32")
TS_ROWS_WORKERS(32, "64")
TS_ROWS_WORKERS(64, "128")

/** Widen `words` words of a row, whose start needs no alignment; words > 0. */
TS_WORKER void ts_widen_row(const int8_t *row, uint32_t *widened, int32_t words)
{
    __asm__ volatile(".syntax unified\n"
                     "push {r4-r11, lr}\n"
                     "subs r2, #4\n"
                     "blt 2f\n"
                     ".balign 4\n"
                     "1:\n"
                     "ldr r4, [r0], #4\n"
                     "ldr r6, [r0], #4\n"
                     "ldr r8, [r0], #4\n"
                     "ldr r10, [r0], #4\n"
                     "sxtb16 r5, r4, ror #8\n"
                     "sxtb16 r4, r4\n"
                     "sxtb16 r7, r6, ror #8\n"
                     "sxtb16 r6, r6\n"
                     "sxtb16 r9, r8, ror #8\n"
                     "sxtb16 r8, r8\n"
                     "sxtb16 r11, r10, ror #8\n"
                     "sxtb16 r10, r10\n"
                     "stmia r1!, {r4-r11}\n"
                     "subs r2, #4\n"
                     "bge 1b\n"
                     "2:\n"
                     "adds r2, #4\n"
                     "beq 4f\n"
                     "3:\n"
                     "ldr r4, [r0], #4\n"
                     "sxtb16 r5, r4, ror #8\n"
                     "sxtb16 r4, r4\n"
                     "stmia r1!, {r4, r5}\n"
                     "subs r2, #1\n"
                     "bne 3b\n"
                     "4:\n"
                     "pop {r4-r11, pc}\n");
}

#pragma GCC diagnostic pop

#endif
