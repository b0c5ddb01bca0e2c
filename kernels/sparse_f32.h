/**
 * @file
 * @brief float32 weights without their zeros: how they are multiplied.
 *
 * Products are added in the order of the row, unless they are of blocks (block_f32.h). What is left
 * out would add 0 to sums that are never -0, and so nothing, as long as inputs are finite.
 */
#ifndef TS_SPARSE_F32_H
#define TS_SPARSE_F32_H

#include <stdint.h>

#include "block_f32.h"
#include "float.h"
#include "product_f32.h"
#include "sparse.h"

/** Outputs that are summed up at a time, at most; even. */
#define TS_SPARSE_LANES 16

/** In place of an exponent: numbers are floats. */
#define TS_SPARSE_FLOATS INT32_MIN

/** A sum of products. */
typedef struct {
    const float *input; /**< what non-zeros are multiplied by */
    float sum;
} ts_sparse_sum_f32;

/** A list that grows. */
typedef struct {
    ts_block_entry *next;
    const uint16_t *offsets; /**< where the input of a position lies */
} ts_sparse_entries;

/** Add a product. */
static inline __attribute__((always_inline)) void ts_sparse_add_f32(void *sink, uint32_t position,
                                                                    const void *value)
{
    ts_sparse_sum_f32 *const to = sink;
    to->sum = ts_add_product_f32(to->sum, *(const float *)value, to->input[position]);
}

/** List a non-zero. */
static inline __attribute__((always_inline)) void ts_sparse_list_f32(void *sink, uint32_t position,
                                                                     const void *value)
{
    ts_sparse_entries *const to = sink;
    const ts_float_bits number = {.value = *(const float *)value};
    *to->next++ = (ts_block_entry){
        (uint32_t)sizeof(float) * to->offsets[position],
        (int32_t)number.bits,
    };
}

#define TS_SPARSE_READER_F32(name)                                                                 \
    static TS_SPARSE_SHARED float ts_sparse_##name##_dot_f32(ts_sparse *rest, int32_t count,       \
                                                             const float *input)                   \
    {                                                                                              \
        ts_sparse_sum_f32 to = {input, 0.0F};                                                      \
        ts_sparse_##name(rest, count, sizeof(float), ts_sparse_add_f32, &to);                      \
        return to.sum;                                                                             \
    }                                                                                              \
    static TS_SPARSE_SHARED ts_block_entry *ts_sparse_##name##_list_f32(                          \
        ts_sparse *rest, int32_t count, const uint16_t *offsets, ts_block_entry *list)            \
    {                                                                                              \
        ts_sparse_entries to = {list, offsets};                                                    \
        ts_sparse_##name(rest, count, sizeof(float), ts_sparse_list_f32, &to);                     \
        return to.next;                                                                            \
    }

TS_SPARSE_READER_F32(crs16)
TS_SPARSE_READER_F32(crs8)
TS_SPARSE_READER_F32(runs)
TS_SPARSE_READER_F32(bitmap)

/**
 * @brief Sum over the next row of `weight[position] * input[position]`.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[in] input float32 `[length]`
 */
static inline __attribute__((always_inline)) float
ts_sparse_dot_f32(int32_t encoding, ts_sparse *rest, int32_t count, const float *input)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_dot_f32(rest, count, input)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_dot_f32(rest, count, input)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_dot_f32(rest, count, input)
                                        : ts_sparse_bitmap_dot_f32(rest, count, input);
}

/**
 * @brief List the next row's values.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[in] offsets uint16 `[length]`: where the input of a position lies
 * @param[out] list has room for the row
 * @return behind the last
 */
static inline __attribute__((always_inline)) ts_block_entry *
ts_sparse_entries_f32(int32_t encoding, ts_sparse *rest, int32_t count, const uint16_t *offsets,
                      ts_block_entry *list)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_list_f32(rest, count, offsets, list)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_list_f32(rest, count, offsets, list)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_list_f32(rest, count, offsets, list)
                                        : ts_sparse_bitmap_list_f32(rest, count, offsets, list);
}

#ifdef __ARM_FP

/** The register `to` and seven behind it, in which sums are. */
#define TS_SPARSE_CLEAR_EIGHT(a, b, c, d, e, f, g, h)                                              \
    "vmov s" #a ", %[x]\n\tvmov s" #b ", %[x]\n\tvmov s" #c ", %[x]\n\tvmov s" #d ", %[x]\n\t"     \
    "vmov s" #e ", %[x]\n\tvmov s" #f ", %[x]\n\tvmov s" #g ", %[x]\n\tvmov s" #h ", %[x]\n\t"

/** A product of S31 for each of eight sums; what is used was not computed just before. */
#define TS_SPARSE_ADD_EIGHT(a, b, c, d, e, f, g, h)                                                \
    "vldmia %[x]!, {s16-s23}\n\t"                                                                  \
    "vmul.f32 s16, s16, s31\n\tvmul.f32 s17, s17, s31\n\t"                                         \
    "vmul.f32 s18, s18, s31\n\tvmul.f32 s19, s19, s31\n\t"                                         \
    "vmul.f32 s20, s20, s31\n\tvmul.f32 s21, s21, s31\n\t"                                         \
    "vmul.f32 s22, s22, s31\n\tvmul.f32 s23, s23, s31\n\t"                                         \
    "vadd.f32 s" #a ", s" #a ", s16\n\tvadd.f32 s" #b ", s" #b ", s17\n\t"                         \
    "vadd.f32 s" #c ", s" #c ", s18\n\tvadd.f32 s" #d ", s" #d ", s19\n\t"                         \
    "vadd.f32 s" #e ", s" #e ", s20\n\tvadd.f32 s" #f ", s" #f ", s21\n\t"                         \
    "vadd.f32 s" #g ", s" #g ", s22\n\tvadd.f32 s" #h ", s" #h ", s23\n\t"

/** Eight sums with the bias. */
#define TS_SPARSE_BIAS_EIGHT(a, b, c, d, e, f, g, h)                                               \
    "vadd.f32 s" #a ", s" #a ", %[bias]\n\tvadd.f32 s" #b ", s" #b ", %[bias]\n\t"                 \
    "vadd.f32 s" #c ", s" #c ", %[bias]\n\tvadd.f32 s" #d ", s" #d ", %[bias]\n\t"                 \
    "vadd.f32 s" #e ", s" #e ", %[bias]\n\tvadd.f32 s" #f ", s" #f ", %[bias]\n\t"                 \
    "vadd.f32 s" #g ", s" #g ", %[bias]\n\tvadd.f32 s" #h ", s" #h ", %[bias]\n\t"

/** Eight sums with what a non-zero adds: `list` is at it, and advanced behind it. */
#define TS_SPARSE_NEXT                                                                             \
    "ldr.w %[x], [%[list]], #4\n\t"                                                                \
    "vldmia %[list]!, {s31}\n\t"                                                                   \
    "add.w %[x], %[x], %[windows]\n\t"

/**
 * @brief Sum what each of several windows has of `weight * input`.
 *
 * A product takes 3.6 cycles on a Cortex-M4, 4.3 where there are no more than eight lanes.
 *
 * @param[in] list see ts_sparse_entries_f32()
 * @param[in] end behind the last
 * @param[in] windows inputs: those of windows side by side lie side by side; there are
 *            TS_SPARSE_LANES, whatever is in them
 * @param lanes windows that are wanted, [1, TS_SPARSE_LANES]
 * @param bias is added last
 * @param exponent TS_SPARSE_FLOATS here; see ts_sparse_fix_list_f32()
 * @param[out] sums float32 `[TS_SPARSE_LANES]`
 */
static TS_SPARSE_SHARED void ts_sparse_sums_f32(const ts_block_entry *list,
                                                const ts_block_entry *end,
                                                const ts_float_bits *windows, int32_t lanes,
                                                float bias, int32_t exponent, ts_float_bits *sums)
{
    uint32_t place = 0;
    (void)exponent;
    __asm__ volatile(TS_SPARSE_CLEAR_EIGHT(0, 1, 2, 3, 4, 5, 6, 7)
                     TS_SPARSE_CLEAR_EIGHT(8, 9, 10, 11, 12, 13, 14, 15)
                     "cmp.w %[list], %[end]\n\t"
                     "beq.w 3f\n\t"
                     "cmp.w %[lanes], #8\n\t"
                     "ble.w 2f\n\t"
                     ".balign 4\n"
                     "1:\n\t" TS_SPARSE_NEXT TS_SPARSE_ADD_EIGHT(0, 1, 2, 3, 4, 5, 6, 7)
                     "cmp.w %[list], %[end]\n\t"
                     TS_SPARSE_ADD_EIGHT(8, 9, 10, 11, 12, 13, 14, 15)
                     "bne.w 1b\n\t"
                     "b.w 3f\n\t"
                     ".balign 4\n"
                     "2:\n\t" TS_SPARSE_NEXT TS_SPARSE_ADD_EIGHT(0, 1, 2, 3, 4, 5, 6, 7)
                     "cmp.w %[list], %[end]\n\t"
                     "bne.w 2b\n"
                     "3:\n\t" TS_SPARSE_BIAS_EIGHT(0, 1, 2, 3, 4, 5, 6, 7)
                     TS_SPARSE_BIAS_EIGHT(8, 9, 10, 11, 12, 13, 14, 15)
                     "vstmia %[sums], {s0-s15}\n\t"
                     : [list] "+r"(list), [x] "+r"(place)
                     : [end] "r"(end), [windows] "r"(windows), [lanes] "r"(lanes), [sums] "r"(sums),
                       [bias] "t"(bias)
                     : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11",
                       "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21",
                       "s22", "s23", "s31", "cc", "memory");
}

#define TS_SPARSE_HAS_BLOCKS 0

/** Inputs stay floats. */
static inline int32_t ts_sparse_fix_inputs_f32(ts_float_bits *inputs, int32_t count)
{
    (void)inputs, (void)count;
    return TS_SPARSE_FLOATS;
}

/** Values stay floats. */
static inline int32_t ts_sparse_fix_list_f32(ts_block_entry *list, const ts_block_entry *end,
                                             int32_t top)
{
    (void)list, (void)end;
    return top;
}

#else

/** 1: sums are of blocks, unless inputs are infinite or no numbers; 0: never. */
#define TS_SPARSE_HAS_BLOCKS 1

/**
 * @brief Turn inputs into fixed point, unless some is infinite or no number (see block_f32.h).
 * @param[in,out] inputs floats; then words as of ts_block_fixed(), of one exponent, and a zero more
 * @param count > 0; there is room for another one
 * @return the exponent, or TS_SPARSE_FLOATS if they are floats still
 */
TS_BLOCK_SHARED int32_t ts_sparse_fix_inputs_f32(ts_float_bits *inputs, int32_t count)
{
    ts_float_bits *const end = inputs + count;
    uint32_t largest = 0;
    end->bits = 0; /* a last odd window is computed with one beside it */
    for (const ts_float_bits *input = inputs; input != end; input++) {
        const uint32_t size = input->bits << 1;
        largest = size > largest ? size : largest;
    }
    const int32_t top = (int32_t)(largest >> 24);
    if (top == 255) {
        return TS_SPARSE_FLOATS;
    }
    for (; inputs != end; inputs++) {
        const int32_t is_small = inputs->bits << 1 >> 24 == 0;
        inputs->bits = is_small ? 0 : (uint32_t)ts_block_fixed((int32_t)inputs->bits, top);
    }
    return top;
}

/**
 * @brief Turn the values of a list into fixed point, if inputs are.
 * @param[in,out] list finite floats; then words of one exponent
 * @param[in] end behind the last
 * @param top what ts_sparse_fix_inputs_f32() has returned
 * @return the exponent of sums of products, or TS_SPARSE_FLOATS
 */
TS_BLOCK_SHARED int32_t ts_sparse_fix_list_f32(ts_block_entry *list, const ts_block_entry *end,
                                               int32_t top)
{
    if (top == TS_SPARSE_FLOATS) {
        return top;
    }
    uint32_t largest = 0;
    for (const ts_block_entry *entry = list; entry != end; entry++) {
        const uint32_t size = (uint32_t)entry->number << 1;
        largest = size > largest ? size : largest;
    }
    const int32_t own = (int32_t)(largest >> 24);
    for (; list != end; list++) {
        const int32_t is_small = (uint32_t)list->number << 1 >> 24 == 0;
        list->number = is_small ? 0 : ts_block_fixed(list->number, own);
    }
    return top + own - 2 * (127 + 23) + 12;
}

/** The same as with an FPU, but that sums begin with the bias, and are of blocks where they may. */
static TS_SPARSE_SHARED void ts_sparse_sums_f32(const ts_block_entry *list,
                                                const ts_block_entry *end,
                                                const ts_float_bits *windows, int32_t lanes,
                                                float bias, int32_t exponent, ts_float_bits *sums)
{
    for (int32_t i = 0; exponent == TS_SPARSE_FLOATS && i < lanes; i++) {
        float sum = 0.0F;
        for (const ts_block_entry *entry = list; entry != end; entry++) {
            const ts_float_bits weight = {.bits = (uint32_t)entry->number};
            const float input = windows[entry->offset / sizeof *windows + (uint32_t)i].value;
            sum = ts_add_product_f32(sum, weight.value, input);
        }
        sums[i].value = sum + bias;
    }
    for (int32_t i = 0; exponent != TS_SPARSE_FLOATS && i < lanes; i += 2) {
        float first = bias;
        float second = bias;
        for (const ts_block_entry *entry = list; entry != end;) {
            const ts_block_entry *const next =
                end - entry < TS_BLOCK_LENGTH ? end : entry + TS_BLOCK_LENGTH;
            /* Windows side by side are what outputs side by side are there: two of a list. */
            ts_block_sums found = {2, {0, 0}, {0, 0}};
            ts_block_sum(entry, next, (const int32_t *)(const void *)(windows + i), &found);
            first = ts_block_add(first, found.high[0], found.middle[0], exponent);
            second = ts_block_add(second, found.high[1], found.middle[1], exponent);
            entry = next;
        }
        sums[i].value = first;
        sums[i + 1].value = second;
    }
}

#endif

#endif
