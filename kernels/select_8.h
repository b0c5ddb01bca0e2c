/**
 * @file
 * @brief SELECT_V2 of elements of 8 bits, in portable C.
 */
#ifndef TS_SELECT_8_H
#define TS_SELECT_8_H

#include <stdbool.h>
#include <stdint.h>

#include "broadcast.h"

/** Parameters of ts_select_8(). */
typedef struct {
    int32_t size0;          /**< > 0, the outermost loop */
    int32_t size1;          /**< > 0 */
    int32_t size2;          /**< > 0 */
    int32_t size3;          /**< > 0, the row */
    int32_t input1_stride0; /**< elements, 0 if the condition does not move */
    int32_t input1_stride1; /**< elements, 0 or more */
    int32_t input1_stride2; /**< elements, 0 or more */
    int32_t input1_stride3; /**< 0 or 1 */
    int32_t input2_stride0; /**< elements, 0 if input2 does not move */
    int32_t input2_stride1; /**< elements, 0 or more */
    int32_t input2_stride2; /**< elements, 0 or more */
    int32_t input2_stride3; /**< 0 or 1 */
    int32_t input3_stride0; /**< elements, 0 if input3 does not move */
    int32_t input3_stride1; /**< elements, 0 or more */
    int32_t input3_stride2; /**< elements, 0 or more */
    int32_t input3_stride3; /**< 0 or 1 */
    int32_t is_reversed;    /**< 1 if input2 is what is chosen where the condition is false */
} ts_select_8_params;

/**
 * @brief `output = condition ? input2 : input3`, or the other way round; shapes broadcast.
 *
 * @param params sizes, a literal at the call so that the compiler specialises
 * @param[in] input1 bool, the condition
 * @param[in] input2 8-bit elements, its strides say how many
 * @param[in] input3 8-bit elements, its strides say how many
 * @param[out] output 8-bit elements `[size0, size1, size2, size3]`
 */
static inline __attribute__((always_inline)) void ts_select_8(const ts_select_8_params *params,
                                                              const bool *input1,
                                                              const void *input2,
                                                              const void *input3, void *output)
{
    uint8_t *out = output;
    TS_FOR_EACH_ROW (params) {
        const bool *const row1 = input1 + TS_ROW(params, input1);
        const uint8_t *const row2 = (const uint8_t *)input2 + TS_ROW(params, input2);
        const uint8_t *const row3 = (const uint8_t *)input3 + TS_ROW(params, input3);
        for (int32_t i = 0; i < params->size3; i++) {
            const bool is_first = row1[i * params->input1_stride3] != (params->is_reversed != 0);
            *out++ = is_first ? row2[i * params->input2_stride3] : row3[i * params->input3_stride3];
        }
    }
}

#endif
