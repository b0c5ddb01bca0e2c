/**
 * @file
 * @brief LOGICAL_AND and LOGICAL_OR, in portable C.
 */
#ifndef TS_LOGICAL_BOOL_H
#define TS_LOGICAL_BOOL_H

#include <stdint.h>

#include "broadcast.h"
#include "relation.h"

/** Parameters of ts_logical_bool(). */
typedef struct {
    int32_t size0;          /**< > 0, the outermost loop */
    int32_t size1;          /**< > 0 */
    int32_t size2;          /**< > 0 */
    int32_t size3;          /**< > 0, the row */
    int32_t input1_stride0; /**< elements, 0 if the first operand does not move */
    int32_t input1_stride1; /**< elements, 0 or more */
    int32_t input1_stride2; /**< elements, 0 or more */
    int32_t input1_stride3; /**< 0 or 1 */
    int32_t input2_stride0; /**< elements, 0 if the second operand does not move */
    int32_t input2_stride1; /**< elements, 0 or more */
    int32_t input2_stride2; /**< elements, 0 or more */
    int32_t input2_stride3; /**< 0 or 1 */
    int32_t is_or;          /**< 1 for or, 0 for and */
} ts_logical_bool_params;

/**
 * @brief `output = is_or ? a or b : a and b`; shapes broadcast.
 *
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input1 bool, its strides say how much
 * @param[in] input2 bool, its strides say how much
 * @param[out] output bool `[size0, size1, size2, size3]`; may be an operand of its shape
 */
static inline __attribute__((always_inline)) void
ts_logical_bool(const ts_logical_bool_params *params, const bool *input1, const bool *input2,
                bool *output)
{
    TS_FOR_EACH_ROW (params) {
        const bool *const row1 = input1 + TS_ROW(params, input1);
        const bool *const row2 = input2 + TS_ROW(params, input2);
        const bool first1 = *row1;
        const bool first2 = *row2;
        for (int32_t i = 0; i < params->size3; i++) {
            const bool a = params->input1_stride3 ? row1[i] : first1;
            const bool b = params->input2_stride3 ? row2[i] : first2;
            *output++ = params->is_or ? a || b : a && b;
        }
    }
}

#endif
