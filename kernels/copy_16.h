/**
 * @file
 * @brief Elements of 16 bits go from places in one array to places in another, in portable C.
 */
#ifndef TS_COPY_16_H
#define TS_COPY_16_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_copy_16(), in elements of 16 bits; dimension 5 is innermost. */
typedef struct {
    int32_t input_start;      /**< where in the input the first element stands, >= 0 */
    int32_t output_start;     /**< where in the output it goes, >= 0 */
    int32_t size_d0;          /**< elements along the dimension, > 0 */
    int32_t size_d1;          /**< as size_d0 */
    int32_t size_d2;          /**< as size_d0 */
    int32_t size_d3;          /**< as size_d0 */
    int32_t size_d4;          /**< as size_d0 */
    int32_t size_d5;          /**< as size_d0 */
    int32_t input_stride_d0;  /**< elements from one to the next in the input, any; 0 repeats */
    int32_t input_stride_d1;  /**< as input_stride_d0 */
    int32_t input_stride_d2;  /**< as input_stride_d0 */
    int32_t input_stride_d3;  /**< as input_stride_d0 */
    int32_t input_stride_d4;  /**< as input_stride_d0 */
    int32_t input_stride_d5;  /**< as input_stride_d0 */
    int32_t output_stride_d0; /**< elements from one to the next in the output, any */
    int32_t output_stride_d1; /**< as output_stride_d0 */
    int32_t output_stride_d2; /**< as output_stride_d0 */
    int32_t output_stride_d3; /**< as output_stride_d0 */
    int32_t output_stride_d4; /**< as output_stride_d0 */
    int32_t output_stride_d5; /**< as output_stride_d0 */
} ts_copy_16_params;

/** An element of whatever type: what is moved is only bits. */
typedef uint16_t __attribute__((may_alias)) ts_copy_16_element;

/**
 * @brief `output[output_start + sum(i * output_stride)]` becomes `input[...]`, likewise.
 *
 * The sums are over six dimensions; each `i` runs through `0 <= i < size`.
 *
 * @param params sizes and strides, a literal at the call so that the compiler specialises
 * @param[in] input aligned to 2 bytes; may be the output if nothing read is also written
 * @param[out] output aligned to 2 bytes
 */
static inline __attribute__((always_inline)) void ts_copy_16(
    const ts_copy_16_params *params, const void *input, void *output)
{
    const ts_copy_16_element *source =
        (const ts_copy_16_element *)input + params->input_start;
    ts_copy_16_element *target = (ts_copy_16_element *)output + params->output_start;
    for (int32_t a = 0; a < params->size_d0; a++) {
        for (int32_t b = 0; b < params->size_d1; b++) {
            for (int32_t c = 0; c < params->size_d2; c++) {
                for (int32_t d = 0; d < params->size_d3; d++) {
                    for (int32_t e = 0; e < params->size_d4; e++) {
                        const ts_copy_16_element *restrict from =
                            source + a * params->input_stride_d0 + b * params->input_stride_d1 +
                            c * params->input_stride_d2 + d * params->input_stride_d3 +
                            e * params->input_stride_d4;
                        ts_copy_16_element *restrict to =
                            target + a * params->output_stride_d0 + b * params->output_stride_d1 +
                            c * params->output_stride_d2 + d * params->output_stride_d3 +
                            e * params->output_stride_d4;
                        for (int32_t f = 0; f < params->size_d5; f++) {
                            to[f * params->output_stride_d5] = from[f * params->input_stride_d5];
                        }
                    }
                }
            }
        }
    }
}

#endif
