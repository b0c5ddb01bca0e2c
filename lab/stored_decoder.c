/** @file
 * Decodes weights as lab/stored_size.py stores them, a tensor a call, into one buffer.
 *
 * `stored`, `sizes` (values of each tensor) and MOST_VALUES (of the largest) stand before this
 * text; behind the stream there are four bytes that are read and not used.
 */

enum { RAW, DENSE, SPARSE };
enum { LONGEST_WORD_BITS = 24, ALPHABET = 256 };

struct code {
    uint32_t limit[LONGEST_WORD_BITS + 1];  /* first word that is longer, from bit 31 down */
    uint32_t offset[LONGEST_WORD_BITS + 1]; /* plus a word is the place of its symbol */
    uint8_t symbols[ALPHABET];
    uint8_t longest_bits; /* 0: there is one symbol, and nothing is written of it */
};

uint32_t decoded[MOST_VALUES];
struct {
    struct code gaps, indices;
    uint32_t book[ALPHABET];
    uint8_t lengths[ALPHABET];
} tables;
struct {
    const uint8_t *next;
    uint32_t window; /* the bits that come next, from bit 31 down */
    uint32_t filled_bits;
    uint32_t tensor;
} state = {stored, 0, 0, 0};

#define INLINE static inline __attribute__((always_inline))

/** See to it that 25 bits at least are in the window. */
INLINE void fill(void)
{
    while (state.filled_bits <= 24) {
        state.window |= (uint32_t)*state.next++ << (24 - state.filled_bits);
        state.filled_bits += 8;
    }
}

INLINE uint32_t drop(uint32_t bits)
{
    uint32_t value = state.window >> (32 - bits);
    state.window <<= bits;
    state.filled_bits -= bits;
    return value;
}

/** Return a number of 1 to 24 bits. */
INLINE uint32_t take(uint32_t bits)
{
    fill();
    return drop(bits);
}

INLINE uint32_t take_value(void)
{
    uint32_t high = take(16);
    return high << 16 | take(16);
}

INLINE uint32_t take_book(void)
{
    uint32_t count = take(8) + 1;
    for (uint32_t i = 0; i < count; i++) {
        tables.book[i] = take_value();
    }
    return count;
}

/** Read the lengths of a code's words and number the words from them. */
static __attribute__((noinline)) void take_code(struct code *code, uint32_t alphabet)
{
    uint32_t counts[LONGEST_WORD_BITS + 1] = {0};
    uint32_t place = 0, word = 0;
    code->longest_bits = 0;
    if (alphabet == 1) {
        code->symbols[0] = 0;
        return;
    }
    uint32_t width = take(3);
    for (uint32_t i = 0; i < alphabet; i++) {
        tables.lengths[i] = (uint8_t)take(width);
        counts[tables.lengths[i]]++;
    }
    for (uint32_t bits = 1; bits <= LONGEST_WORD_BITS; bits++) {
        if (counts[bits] != 0) {
            code->longest_bits = (uint8_t)bits;
        }
        word <<= 1;
        code->offset[bits] = place - word;
        for (uint32_t i = 0; counts[bits] != 0 && i < alphabet; i++) {
            if (tables.lengths[i] == bits) {
                code->symbols[place++] = (uint8_t)i;
                word++;
            }
        }
        code->limit[bits] = word << (32 - bits);
    }
}

INLINE uint32_t take_symbol(const struct code *code)
{
    uint32_t bits = 1;
    if (code->longest_bits == 0) {
        return code->symbols[0];
    }
    fill();
    while (bits < code->longest_bits && state.window >= code->limit[bits]) {
        bits++;
    }
    return code->symbols[code->offset[bits] + drop(bits)];
}

/* A loop as it stands, see startup.c. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void decode_next(void)
{
    uint32_t size = sizes[state.tensor++];
    uint32_t form = take(2);
    if (form == RAW) {
        for (uint32_t i = 0; i < size; i++) {
            decoded[i] = take_value();
        }
    } else if (form == DENSE) {
        take_code(&tables.indices, take_book());
        for (uint32_t i = 0; i < size; i++) {
            decoded[i] = tables.book[take_symbol(&tables.indices)];
        }
    } else {
        uint32_t count = take_value();
        uint32_t most = (1U << (take(3) + 1)) - 1;
        uint32_t values = take_book();
        uint32_t *to = decoded;
        take_code(&tables.gaps, most + 1);
        take_code(&tables.indices, values);
        for (uint32_t i = 0; i < size; i++) {
            decoded[i] = 0;
        }
        for (; count > 0; count--) {
            uint32_t gap;
            while ((gap = take_symbol(&tables.gaps)) == most) {
                to += most;
            }
            to += gap;
            *to++ = tables.book[take_symbol(&tables.indices)];
        }
    }
}

void (*volatile keep)(void) = decode_next; /* or the linker would drop it */
int main(void)
{
    return keep == 0;
}
