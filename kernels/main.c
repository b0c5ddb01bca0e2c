/** @file
 * The smallest application: one inference. Replace it with yours.
 *
 * Call ts_model_init() once; then write inputs to `tensor_arena + TS_INPUT_0_OFFSET`, call
 * ts_model_invoke(), read outputs at `tensor_arena + TS_OUTPUT_0_OFFSET`: see model.h.
 */
#include "model.h"

__attribute__((section(".arena"), aligned(8))) uint8_t tensor_arena[TS_TENSOR_ARENA_BYTES];

int main(void)
{
    ts_model_init(tensor_arena);
    ts_model_invoke(tensor_arena);
    return 0;
}
