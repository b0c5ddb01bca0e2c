/**
 * @file
 * @brief What four pixels see times the weights of all channels, on Armv6-M.
 *
 * One multiplication makes two products: a word of the columns holds the inputs of two pixels, as
 * `x0 + (x1 << 16)`, and is multiplied by one weight. The products of two weights are added; then the
 * sum of the first pixel is the low half, signed, and that of the second what is left above it: no
 * other two weights than a pair of -128 can leave these 16 bits, whatever the inputs are. With
 *
 *     total = sum of the words, modulo 2^32
 *     upper = sum of their upper halves, each with the carry of its lower one
 *
 * `upper` is the second pixel's accumulator, and `total - (upper << 16)` the first one's.
 *
 * The stream holds, for each channel: the bias; the weights, four in a word, the first in bits 0 to
 * 7, the second in 24 to 31, the third in 8 to 15, the fourth in 16 to 23; the two words of
 * requantize_v6m.h. The columns hold, for each two elements, four words: both elements of pixels 0
 * and 1, both of pixels 2 and 3.
 */
#ifndef TS_MATRIX_V6M_H
#define TS_MATRIX_V6M_H

#include <stdint.h>

#include "requantize_v6m.h"

/** What the worker needs, in the order in which its assembly wants it. */
typedef struct {
    int8_t *output;             /**< 0: first channel of pixel 0 */
    int32_t step[4];            /**< 4: from each pixel to the next; 0 if they are the same */
    const int32_t *stream_end;  /**< 20 */
    const int32_t *columns;     /**< 24 */
    const int32_t *columns_end; /**< 28: a multiple of four elements later */
    int32_t offset;             /**< 32: zero point of the output plus 128 */
    int32_t limit;              /**< 36: accumulators are clamped to +-this; 0: no need */
} ts_v6m_tile;

/* Two weights for two pixels: 9 cycles. `total` is high. */
#define TS_V6M_PAIR(total, upper)                                                                  \
    "ldm r1!, {r4, r5}\n\t"                                                                        \
    "muls r4, r2\n\t"                                                                              \
    "muls r5, r3\n\t"                                                                              \
    "adds r4, r4, r5\n\t"                                                                          \
    "add " total ", r4\n\t"                                                                        \
    "asrs r4, r4, #16\n\t"                                                                         \
    "adcs " upper ", r4\n\t"

/* Four weights for four pixels: 45 cycles. */
#define TS_V6M_QUAD                                                                                \
    "ldr r3, [r0]\n\t"                                                                             \
    "sxtb r2, r3\n\t"                                                                              \
    "asrs r3, r3, #24\n\t" TS_V6M_PAIR("r8", "r6") TS_V6M_PAIR("r9", "r7") "ldm r0!, {r3}\n\t"     \
    "rev16 r3, r3\n\t"                                                                             \
    "sxtb r2, r3\n\t"                                                                              \
    "asrs r3, r3, #24\n\t" TS_V6M_PAIR("r8", "r6") TS_V6M_PAIR("r9", "r7")

#define TS_V6M_LIMIT(acc)                                                                          \
    "cmp " acc ", r1\n\t"                                                                          \
    "ble 1f\n\t"                                                                                   \
    "mov " acc ", r1\n"                                                                            \
    "1:\n\t"                                                                                       \
    "cmp " acc ", r0\n\t"                                                                          \
    "bge 1f\n\t"                                                                                   \
    "mov " acc ", r0\n"                                                                            \
    "1:\n\t"

/**
 * @brief Compute all channels of four pixels.
 *
 * While products are summed, r0 is the stream, r1 the columns; r2 and r3 are weights, r4 and r5
 * words of the columns, r6 and r7 uppers, r8 and r9 totals; r10 and r11 the columns' end and
 * beginning, lr the tile. r12 is 1 if there is an odd quad, and less than 0 if there is a limit.
 *
 * @param tile the pixels
 * @param stream weights and channels
 */
static __attribute__((noinline)) void ts_v6m_four(const ts_v6m_tile *tile, const int32_t *stream)
{
    register const int32_t *r0 __asm__("r0") = stream;
    register const ts_v6m_tile *r1 __asm__("r1") = tile;
    __asm__ volatile(
        ".syntax unified\n\t"
        "mov lr, r1\n\t"
        "ldr r2, [r1, #24]\n\t"
        "mov r11, r2\n\t"
        "ldr r3, [r1, #28]\n\t"
        "mov r10, r3\n\t"
        "subs r3, r2\n\t"
        "lsls r3, r3, #26\n\t" /* a quad has 32 bytes */
        "lsrs r3, r3, #31\n\t"
        "ldr r2, [r1, #36]\n\t"
        "negs r2, r2\n\t"
        "asrs r2, r2, #31\n\t"
        "lsls r2, r2, #1\n\t"
        "orrs r3, r2\n\t"
        "mov r12, r3\n"
        /* A channel. */
        "2:\n\t"
        "ldm r0!, {r6}\n\t"
        "lsls r4, r6, #16\n\t"
        "adds r4, r4, r6\n\t"
        "movs r7, r6\n\t"
        "mov r8, r4\n\t"
        "mov r9, r4\n\t"
        "mov r1, r11\n\t"
        "mov r4, r12\n\t"
        "lsrs r4, r4, #1\n\t"
        "bcs 4f\n"
        "3:\n\t" TS_V6M_QUAD "4:\n\t" TS_V6M_QUAD
        "cmp r1, r10\n\t"
        "bne 3b\n\t"
        /* The accumulators: r4, r6, r5, r7. */
        "mov r4, r8\n\t"
        "lsls r2, r6, #16\n\t"
        "subs r4, r4, r2\n\t"
        "mov r5, r9\n\t"
        "lsls r2, r7, #16\n\t"
        "subs r5, r5, r2\n\t"
        "mov r2, r12\n\t"
        "cmp r2, #0\n\t"
        "blt 6f\n"
        "5:\n\t"
        "ldm r0!, {r2, r3}\n\t"
        "mov r9, r0\n\t"
        "mov r8, r2\n\t"
        "mov r1, lr\n\t"
        "ldr r0, [r1, #32]\n\t"
        TS_V6M_REQUANTIZE("r4", "r2", "r3", "r1", "r0")
        "mov r2, lr\n\t"
        "ldr r4, [r2]\n\t"
        "strb r1, [r4]\n\t"
        "adds r1, r4, #1\n\t"
        "str r1, [r2]\n\t"
        "mov r2, r8\n\t"
        TS_V6M_REQUANTIZE("r6", "r2", "r3", "r1", "r0")
        "mov r6, lr\n\t"
        "ldr r2, [r6, #4]\n\t"
        "adds r4, r4, r2\n\t"
        "strb r1, [r4]\n\t"
        "mov r2, r8\n\t"
        TS_V6M_REQUANTIZE("r5", "r2", "r3", "r1", "r0")
        "ldr r2, [r6, #8]\n\t"
        "adds r4, r4, r2\n\t"
        "strb r1, [r4]\n\t"
        "mov r2, r8\n\t"
        TS_V6M_REQUANTIZE("r7", "r2", "r3", "r1", "r0")
        "ldr r2, [r6, #12]\n\t"
        "adds r4, r4, r2\n\t"
        "strb r1, [r4]\n\t"
        "mov r0, r9\n\t"
        "ldr r2, [r6, #20]\n\t"
        "cmp r0, r2\n\t"
        "beq 7f\n\t"
        "b 2b\n"
        /* Clamp the accumulators. */
        "6:\n\t"
        "mov r9, r0\n\t"
        "mov r1, lr\n\t"
        "ldr r1, [r1, #36]\n\t"
        "negs r0, r1\n\t"
        TS_V6M_LIMIT("r4") TS_V6M_LIMIT("r5") TS_V6M_LIMIT("r6") TS_V6M_LIMIT("r7")
        "mov r0, r9\n\t"
        "b 5b\n"
        "7:\n\t"
        : "+r"(r0), "+r"(r1)
        :
        : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory", "cc");
}

/* One element of four pixels, at `low` and `high` bytes of the columns: 17 cycles. */
#define TS_V6M_ELEMENT(low, high)                                                                  \
    "ldrsb r6, [r0, r4]\n\t"                                                                       \
    "ldrsb r7, [r1, r4]\n\t"                                                                       \
    "lsls r7, r7, #16\n\t"                                                                         \
    "adds r6, r6, r7\n\t"                                                                          \
    "str r6, [r5, #" low "]\n\t"                                                                   \
    "ldrsb r6, [r2, r4]\n\t"                                                                       \
    "ldrsb r7, [r3, r4]\n\t"                                                                       \
    "lsls r7, r7, #16\n\t"                                                                         \
    "adds r6, r6, r7\n\t"                                                                          \
    "str r6, [r5, #" high "]\n\t"                                                                  \
    "adds r4, #1\n\t"

#define TS_V6M_NEXT_ROW                                                                            \
    "add r0, r9\n\t"                                                                               \
    "add r1, r9\n\t"                                                                               \
    "add r2, r9\n\t"                                                                               \
    "add r3, r9\n\t"                                                                               \
    "mov r4, r8\n\t"                                                                               \
    "mov r6, r10\n\t"                                                                              \
    "subs r6, #1\n\t"                                                                              \
    "mov r10, r6\n\t"

/** Where the elements of four pixels lie, in the order in which the assembly wants it. */
typedef struct {
    const int8_t *from[4]; /**< 0: first element of each pixel */
    int32_t run;           /**< 16: elements of a row, > 0 */
    int32_t row;           /**< 20: bytes from one row to the next */
    int32_t rows;          /**< 24: > 0 */
    int32_t is_odd;        /**< 28: 1: begin with the second of two elements; else 0 */
} ts_v6m_elements;

/**
 * @brief Write rows of elements of four pixels to the columns.
 *
 * r0 to r3 are ends of the pixels' rows, r4 counts from -run up to 0, r5 is the place in the
 * columns; r8 is -run, r9 the bytes from row to row, r10 the rows left.
 *
 * @param[in] elements where they lie
 * @param[out] columns where two elements begin
 */
static __attribute__((noinline)) void ts_v6m_pack(const ts_v6m_elements *elements, int32_t *columns)
{
    register const ts_v6m_elements *r0 __asm__("r0") = elements;
    register int32_t *r5 __asm__("r5") = columns;
    __asm__ volatile(
        ".syntax unified\n\t"
        "movs r7, r0\n\t"
        "ldm r7!, {r0, r1, r2, r3, r4}\n\t"
        "adds r0, r4\n\t"
        "adds r1, r4\n\t"
        "adds r2, r4\n\t"
        "adds r3, r4\n\t"
        "negs r4, r4\n\t"
        "mov r8, r4\n\t"
        "ldm r7!, {r6}\n\t"
        "mov r9, r6\n\t"
        "ldm r7, {r6, r7}\n\t"
        "mov r10, r6\n\t"
        "cmp r7, #0\n\t"
        "bne 2f\n"
        "1:\n\t" TS_V6M_ELEMENT("0", "8")
        "beq 3f\n"
        "2:\n\t" TS_V6M_ELEMENT("4", "12")
        "beq 4f\n\t"
        "adds r5, #16\n\t"
        "b 1b\n"
        /* The next row: with the second element, then with the first. */
        "3:\n\t" TS_V6M_NEXT_ROW
        "bne 2b\n\t"
        "b 5f\n"
        "4:\n\t"
        "adds r5, #16\n\t" TS_V6M_NEXT_ROW
        "bne 1b\n"
        "5:\n\t"
        : "+r"(r0), "+r"(r5)
        :
        : "r1", "r2", "r3", "r4", "r6", "r7", "r8", "r9", "r10", "memory", "cc");
}

#endif
