/**
 * @file
 * @brief How kernels of two operands walk over shapes that broadcast.
 *
 * The compiler merges neighbouring dimensions that both operands move along alike, so equal shapes
 * are one row, and one operand of a single element is one row with the stride 0. Loops of length 1
 * vanish where the parameters are literals.
 */
#ifndef TS_BROADCAST_H
#define TS_BROADCAST_H

#include <stdint.h>

/** Loop over the rows of the output, in order; rows are `size3` long. */
#define TS_FOR_EACH_ROW(params)                                 \
    for (int32_t i0 = 0; i0 < (params)->size0; i0++)            \
        for (int32_t i1 = 0; i1 < (params)->size1; i1++)        \
            for (int32_t i2 = 0; i2 < (params)->size2; i2++)

/** Where the row of an operand begins that goes with the current row of the output. */
#define TS_ROW(params, operand)                                                          \
    (i0 * (params)->operand##_stride0 + i1 * (params)->operand##_stride1 +               \
     i2 * (params)->operand##_stride2)

#endif
