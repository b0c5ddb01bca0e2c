/**
 * @file
 * @brief DEPTHWISE_CONV_2D on int8 with 3 x 3 filters, for Armv6-M.
 *
 * The core has eight registers to compute with and loads in two cycles; loading several words at
 * once costs half of that. So the channel is the outermost loop: its pixels are spread out to
 * words, line after line, in a ring of three lines in scratch; where there is no input stands the
 * zero point. Then two neighbouring outputs of a line are summed side by side: each of the nine
 * weights is loaded once for both, and each word serves both. Sums become outputs along a line,
 * `(sum * slope + start) >> shift`, that compiler/variants/_line_v6m.py has found to be exact.
 *
 * A line is a row of the image, or a column where those are longer: the worker knows steps only.
 * A channel's input is read ahead of what is written of its output, which may lie in its place.
 */
#ifndef TS_DEPTHWISE_3X3_S8_V6M_H
#define TS_DEPTHWISE_3X3_S8_V6M_H

#include <stdint.h>

/** Parameters of ts_depthwise_3x3_s8_v6m(). */
typedef struct {
    int32_t batches;        /**< N, > 0 */
    int32_t channels;       /**< O, > 0 */
    int32_t multiplier;     /**< output channels of an input channel, > 0 */
    int32_t input_batch;    /**< bytes of an image of the input */
    int32_t output_batch;   /**< bytes of an image of the output */
    int32_t input_lines;    /**< lines of the input, > 0 */
    int32_t input_line;     /**< bytes from one line of the input to the next, > 0 */
    int32_t input_pixel;    /**< bytes from one pixel of such a line to the next, > 0 */
    int32_t input_pixels;   /**< pixels of a line that are read, > 0 */
    int32_t output_lines;   /**< lines of the output, > 0 */
    int32_t output_line;    /**< bytes from one line of the output to the next, > 0 */
    int32_t output_pixel;   /**< bytes from one pixel of such a line to the next, > 0 */
    int32_t output_pixels;  /**< pixels of a line of the output, > 0 */
    int32_t stride;         /**< lines from one output to the next, > 0 */
    int32_t stride_pixels;  /**< pixels from one output to the next, 1 or 2 */
    int32_t pad_lines;      /**< lines of padding before the first, >= 0 */
    int32_t pad_pixels;     /**< pixels of padding before the first, >= 0 */
    int32_t ring_words;     /**< words of a line in the ring */
    int32_t padding;        /**< zero point of the input, [-128, 127] */
    int32_t activation_min; /**< [-128, 127] */
    int32_t activation_max; /**< [activation_min, 127] */
} ts_depthwise_3x3_s8_v6m_params;

/** What the workers need of a layer, in the order in which their assembly wants it. */
typedef struct {
    int32_t *ring;        /**< 0: three lines */
    int32_t pitch;        /**< 4: bytes of a line of the ring */
    int32_t output_lines; /**< 8: see the parameters, as are the others */
    int32_t first_line;   /**< 12: -pad_lines */
    int32_t input_lines;  /**< 16 */
    int32_t input_line;   /**< 20 */
    int32_t input_pixel;  /**< 24 */
    int32_t pad;          /**< 28: bytes of the ring before a line's first pixel */
    int32_t read;         /**< 32: bytes of the ring that a line's pixels take */
    int32_t output_line;  /**< 36 */
    int32_t output_pixel; /**< 40 */
    int32_t outputs;      /**< 44: outputs of a line */
    int32_t most;         /**< 48: activation_max - activation_min */
    int32_t least;        /**< 52: activation_min */
    int32_t padding;      /**< 56 */
    int32_t stride;       /**< 60 */
} ts_depthwise_3x3_plane;

/* One weight for both outputs: w in r6 or r7, products of the words a and b. */
#define TS_D3_BOTH(w, at, a, b)                                                                    \
    "ldr " w ", [sp, #" at "]\n muls " a ", " w "\n adds r1, " a "\n muls " w ", " b               \
    "\n adds r5, " w "\n"
/* The last use of b, too. */
#define TS_D3_LAST(w, at, a, b)                                                                    \
    "ldr " w ", [sp, #" at "]\n muls " a ", " w "\n adds r1, " a "\n muls " b ", " w               \
    "\n adds r5, " b "\n"

/* Stride 1: words 0 to 3 are the windows 0 1 2 and 1 2 3; the pointer comes back by two. */
#define TS_D3_SUM_1                                                                                \
    "ldm r0!, {r1, r2, r3, r4}\n ldr r5, [sp, #0]\n muls r1, r5\n muls r5, r2\n"                   \
    TS_D3_BOTH("r6", "4", "r2", "r3") TS_D3_LAST("r6", "8", "r3", "r4") "add r0, r8\n"             \
    "ldm r0!, {r2, r3, r4, r6}\n"                                                                  \
    TS_D3_BOTH("r7", "12", "r2", "r3") TS_D3_BOTH("r7", "16", "r3", "r4")                          \
    TS_D3_LAST("r7", "20", "r4", "r6") "add r0, r9\n"                                              \
    "ldm r0!, {r2, r3, r4, r6}\n"                                                                  \
    TS_D3_BOTH("r7", "24", "r2", "r3") TS_D3_BOTH("r7", "28", "r3", "r4")                          \
    TS_D3_LAST("r7", "32", "r4", "r6") "add r0, r10\n"

/* Stride 2: words 0 to 4 are the windows 0 1 2 and 2 3 4; the last one is loaded when a register
 * is free. */
#define TS_D3_FIFTH(w)                                                                             \
    "ldr r2, [r0, #0]\n muls r2, " w "\n adds r5, r2\n"
#define TS_D3_SUM_2                                                                                \
    "ldm r0!, {r1, r2, r3, r4}\n ldr r5, [sp, #0]\n muls r1, r5\n muls r5, r3\n"                   \
    TS_D3_LAST("r6", "4", "r2", "r4")                                                              \
    "ldr r6, [sp, #8]\n muls r3, r6\n adds r1, r3\n" TS_D3_FIFTH("r6") "add r0, r8\n"              \
    "ldm r0!, {r2, r3, r4, r6}\n"                                                                  \
    TS_D3_BOTH("r7", "12", "r2", "r4") TS_D3_LAST("r7", "16", "r3", "r6")                          \
    "ldr r7, [sp, #20]\n muls r4, r7\n adds r1, r4\n" TS_D3_FIFTH("r7") "add r0, r9\n"             \
    "ldm r0!, {r2, r3, r4, r6}\n"                                                                  \
    TS_D3_BOTH("r7", "24", "r2", "r4") TS_D3_LAST("r7", "28", "r3", "r6")                          \
    "ldr r7, [sp, #32]\n muls r4, r7\n adds r1, r4\n" TS_D3_FIFTH("r7") "add r0, r10\n"

/* Four weights of a word to the stack. */
#define TS_D3_WEIGHTS(word, a, b, c, d)                                                            \
    "ldr r4, [r3, #" word "]\n sxtb r5, r4\n str r5, [sp, #" a "]\n"                               \
    "lsls r5, r4, #16\n asrs r5, r5, #24\n str r5, [sp, #" b "]\n"                                 \
    "lsls r5, r4, #8\n asrs r5, r5, #24\n str r5, [sp, #" c "]\n"                                  \
    "asrs r5, r4, #24\n str r5, [sp, #" d "]\n"

/*
 * The stack: 0 weights, 36 fraction, 40 whole, 44 shift, 48 most, 52 least, 56 step of the output,
 * 60 the input's next line, 64 the ring's lines from top to bottom, 76 number of the input's next
 * line, 80 the output's line, 84 lines left, 88 the plane, 92 lines to read.
 *
 * High registers while a line is summed: r8 to r10 lead from one line of the ring to the next, r11
 * is where the line ends, r12 the output, lr what sums start from.
 */
#define TS_D3_PLANE(sum, group_shift, back)                                                        \
    "sub sp, #96\n"                                                                                \
    "str r0, [sp, #88]\n str r2, [sp, #80]\n"                                                      \
    "ldr r4, [r3, #0]\n mov lr, r4\n"                                                              \
    "ldrh r4, [r3, #4]\n str r4, [sp, #36]\n"                                                      \
    "ldrh r4, [r3, #6]\n str r4, [sp, #40]\n"                                                      \
    "ldrb r4, [r3, #17]\n str r4, [sp, #44]\n"                                                     \
    TS_D3_WEIGHTS("8", "0", "4", "8", "12") TS_D3_WEIGHTS("12", "16", "20", "24", "28")            \
    "ldr r4, [r3, #16]\n sxtb r4, r4\n str r4, [sp, #32]\n"                                        \
    "ldr r4, [r0, #48]\n str r4, [sp, #48]\n"                                                      \
    "ldr r4, [r0, #52]\n str r4, [sp, #52]\n"                                                      \
    "ldr r4, [r0, #8]\n str r4, [sp, #84]\n"                                                       \
    "ldr r4, [r0, #12]\n str r4, [sp, #76]\n"                                                      \
    "ldr r5, [r0, #20]\n muls r4, r5\n adds r4, r1\n str r4, [sp, #60]\n"                          \
    "ldr r4, [r0, #0]\n ldr r5, [r0, #4]\n str r4, [sp, #64]\n"                                    \
    "adds r4, r5\n str r4, [sp, #68]\n adds r4, r5\n str r4, [sp, #72]\n"                          \
    "movs r7, #3\n"                                                                                \
    /* Read a line into the ring: the topmost becomes the one at the bottom. */                    \
    "10: str r7, [sp, #92]\n"                                                                      \
    "ldr r0, [sp, #88]\n"                                                                          \
    "add r4, sp, #64\n ldm r4!, {r1, r2, r3}\n"                                                    \
    "str r2, [sp, #64]\n str r3, [sp, #68]\n str r1, [sp, #72]\n"                                  \
    "ldr r2, [r0, #28]\n adds r1, r2\n"                                                            \
    "ldr r3, [r0, #32]\n adds r3, r1\n mov r11, r3\n subs r3, #12\n mov r10, r3\n"                 \
    "ldr r4, [sp, #60]\n ldr r5, [r0, #20]\n adds r5, r4\n str r5, [sp, #60]\n"                    \
    "ldr r2, [sp, #76]\n adds r3, r2, #1\n str r3, [sp, #76]\n"                                    \
    "ldr r3, [r0, #16]\n cmp r2, r3\n bhs 16f\n"                                                   \
    "ldr r5, [r0, #24]\n lsls r6, r5, #1\n mov r9, r6\n movs r6, #0\n"                             \
    "b 12f\n"                                                                                      \
    "11: ldrsb r0, [r4, r6]\n ldrsb r2, [r4, r5]\n add r4, r9\n"                                   \
    "ldrsb r3, [r4, r6]\n ldrsb r7, [r4, r5]\n add r4, r9\n"                                       \
    "stm r1!, {r0, r2, r3, r7}\n"                                                                  \
    "12: cmp r1, r10\n blo 11b\n"                                                                  \
    "b 14f\n"                                                                                      \
    "13: ldrsb r0, [r4, r6]\n adds r4, r5\n stm r1!, {r0}\n"                                       \
    "14: cmp r1, r11\n blo 13b\n"                                                                  \
    "15: ldr r7, [sp, #92]\n subs r7, #1\n bne 10b\n"                                              \
    "b 18f\n"                                                                                      \
    /* No line of the input: padding, an even number of words. */                                  \
    "16: ldr r2, [r0, #56]\n movs r3, r2\n"                                                        \
    "17: stm r1!, {r2, r3}\n cmp r1, r11\n blo 17b\n"                                              \
    "b 15b\n"                                                                                      \
    /* Sum a line. */                                                                              \
    "18: add r4, sp, #64\n ldm r4!, {r0, r1, r2}\n"                                                \
    "subs r3, r1, r0\n subs r3, #16\n mov r8, r3\n"                                                \
    "subs r3, r2, r1\n subs r3, #16\n mov r9, r3\n"                                                \
    "subs r3, r0, r2\n subs r3, #" back "\n mov r10, r3\n"                                         \
    "ldr r5, [sp, #88]\n"                                                                          \
    "ldr r4, [r5, #40]\n str r4, [sp, #56]\n"                                                      \
    "ldr r4, [sp, #80]\n mov r12, r4\n"                                                            \
    "ldr r3, [r5, #36]\n adds r4, r3\n str r4, [sp, #80]\n"                                        \
    "ldr r3, [r5, #44]\n lsrs r3, r3, #1\n lsls r3, r3, #" group_shift "\n adds r3, r0\n"          \
    "mov r11, r3\n cmp r0, r3\n bhs 23f\n"                                                         \
    ".balign 4\n"                                                                                  \
    "20: " sum                                                                                     \
    "add r7, sp, #36\n ldm r7!, {r2, r3, r4}\n"                                                    \
    "movs r6, r2\n muls r6, r1\n asrs r6, r6, #14\n muls r1, r3\n adds r1, r6\n add r1, lr\n"      \
    "muls r2, r5\n asrs r2, r2, #14\n muls r5, r3\n adds r5, r2\n add r5, lr\n"                    \
    "asrs r1, r4\n asrs r5, r4\n"                                                                  \
    "asrs r2, r1, #31\n bics r1, r2\n asrs r2, r5, #31\n bics r5, r2\n"                            \
    "ldm r7!, {r2, r3, r6}\n"                                                                      \
    "cmp r1, r2\n bhi 24f\n"                                                                       \
    "21: cmp r5, r2\n bhi 25f\n"                                                                   \
    "22: adds r1, r3\n adds r5, r3\n"                                                              \
    "mov r7, r12\n strb r5, [r7, r6]\n strb r1, [r7]\n"                                            \
    "adds r7, r6\n adds r7, r6\n mov r12, r7\n"                                                    \
    "cmp r0, r11\n blo 20b\n"                                                                      \
    /* A single output at the end: both go to its place, the right one later. */                   \
    "23: ldr r4, [sp, #88]\n ldr r3, [r4, #44]\n lsrs r3, r3, #1\n bcc 26f\n"                      \
    "ldr r3, [sp, #56]\n cmp r3, #0\n beq 26f\n"                                                   \
    "movs r3, #0\n str r3, [sp, #56]\n"                                                            \
    "movs r3, #1\n lsls r3, r3, #" group_shift "\n add r11, r3\n"                                  \
    "b 20b\n"                                                                                      \
    "24: movs r1, r2\n b 21b\n"                                                                    \
    "25: movs r5, r2\n b 22b\n"                                                                    \
    "26: ldr r7, [r4, #60]\n"                                                                      \
    "ldr r3, [sp, #84]\n subs r3, #1\n str r3, [sp, #84]\n beq 27f\n"                              \
    "b 10b\n"                                                                                      \
    "27: add sp, #96\n"

/* The registers that the assembly is given and spoils. */
#define TS_D3_BODY(text)                                                                           \
    register const ts_depthwise_3x3_plane *r0 __asm__("r0") = plane;                               \
    register const int8_t *r1 __asm__("r1") = input;                                               \
    register int8_t *r2 __asm__("r2") = output;                                                    \
    register const int32_t *r3 __asm__("r3") = channel;                                            \
    __asm__ volatile(".syntax unified\n" text                                                      \
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)                                      \
                     :                                                                             \
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory",    \
                       "cc")

/**
 * @brief All outputs of one channel of one image, where outputs are a pixel apart.
 * @param[in] plane the layer; its ring holds the padding's value where no pixel will stand, and a
 * word more than an odd number of pixels needs
 * @param[in] input the channel's first pixel
 * @param[out] output the channel's first output
 * @param[in] channel start, fraction and whole of its line, nine weights, shift: 20 bytes
 */
static __attribute__((noinline)) void ts_depthwise_3x3_s8_step1(const ts_depthwise_3x3_plane *plane,
                                                                const int8_t *input, int8_t *output,
                                                                const int32_t *channel)
{
    TS_D3_BODY(TS_D3_PLANE(TS_D3_SUM_1, "3", "8"));
}

/** ts_depthwise_3x3_s8_step1() where outputs are two pixels apart. */
static __attribute__((noinline)) void ts_depthwise_3x3_s8_step2(const ts_depthwise_3x3_plane *plane,
                                                                const int8_t *input, int8_t *output,
                                                                const int32_t *channel)
{
    TS_D3_BODY(TS_D3_PLANE(TS_D3_SUM_2, "4", "0"));
}

/**
 * @brief What ts_depthwise_conv_2d_s8() computes with 3 x 3 filters.
 * @param params sizes and ranges, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[N, H, W, C]`, [-128, 127]
 * @param[in] channels `[O, 5]`: see ts_depthwise_3x3_s8_step1()
 * @param[out] output int8 `[N, H, W, O]`, [activation_min, activation_max]
 * @param scratch three lines of `ring_words` words
 */
static inline __attribute__((always_inline)) void
ts_depthwise_3x3_s8_v6m(const ts_depthwise_3x3_s8_v6m_params *params, const int8_t *input,
                        const int32_t *channels, int8_t *output, uint8_t *scratch)
{
    int32_t *const ring = (int32_t *)(void *)scratch;
    const ts_depthwise_3x3_plane plane = {
        .ring = ring,
        .pitch = 4 * params->ring_words,
        .output_lines = params->output_lines,
        .first_line = -params->pad_lines,
        .input_lines = params->input_lines,
        .input_line = params->input_line,
        .input_pixel = params->input_pixel,
        .pad = 4 * params->pad_pixels,
        .read = 4 * params->input_pixels,
        .output_line = params->output_line,
        .output_pixel = params->output_pixel,
        .outputs = params->output_pixels,
        .most = params->activation_max - params->activation_min,
        .least = params->activation_min,
        .padding = params->padding,
        .stride = params->stride,
    };
    for (int32_t i = 0; i < 3 * params->ring_words; i++) {
        ring[i] = params->padding;
    }
    for (int32_t n = 0; n < params->batches; n++) {
        const int8_t *image = input + n * params->input_batch;
        int8_t *const made = output + n * params->output_batch;
        const int32_t *channel = channels;
        int32_t left = params->multiplier;
        for (int32_t o = 0; o < params->channels; o++) {
            if (params->stride_pixels == 1) {
                ts_depthwise_3x3_s8_step1(&plane, image, made + o, channel);
            } else {
                ts_depthwise_3x3_s8_step2(&plane, image, made + o, channel);
            }
            channel += 5;
            left--;
            if (left == 0) {
                left = params->multiplier;
                image++;
            }
        }
    }
}

#endif
