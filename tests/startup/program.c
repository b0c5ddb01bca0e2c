/** @file
 * What the firmware of every chip does once it has started: it answers a digit and `%`
 * with the square of the digit.
 *
 * The test puts this in front of the chip's file, which supplies start(), put_char() and the
 * handler of the UART's interrupt.
 */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))

#define SYSTICK_CTRL 0xE000E010U
#define SYSTICK_LOAD 0xE000E014U
#define SYSTICK_VALUE 0xE000E018U
#define NVIC_ENABLE(irq) (0xE000E100U + 4U * ((irq) / 32U))
#define VECTOR_TABLE 0xE000ED08U
#define CPACR 0xE000ED88U

/* Where there is an FPU the interrupts must save its registers, too. */
#if defined(__ARM_FP)
typedef float number;
#else
typedef int number;
#endif
typedef void (*vector)(void);

/** From reset to a running UART. */
void start(void);
/** Send a character. */
void put_char(char character);

volatile uint32_t ticks;
static volatile char line[16];
static volatile uint32_t length;

void SysTick_Handler(void)
{
    ticks++;
}

/** Take a character that has come in; called by the interrupt's handler. */
static void received(char character)
{
    line[length % sizeof line] = character;
    length++;
}

/** SysTick's interrupt, once a millisecond. */
static void start_ticks(uint32_t core_hz)
{
    REG(SYSTICK_LOAD) = core_hz / 1000U - 1U;
    REG(SYSTICK_VALUE) = 0;
    REG(SYSTICK_CTRL) = 1U << 0 | 1U << 1 | 1U << 2; /* on, with interrupt, from the core clock */
}

#if defined(__ARM_FP)
/** Full access to the FPU (CP10, CP11). */
static void enable_fpu(void)
{
    REG(CPACR) |= 0xFU << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
}
#endif

/* Tables must be aligned to their size, rounded up to a power of two; 128 entries suffice here. */
static vector vectors[128] __attribute__((aligned(512)));

/** Put a handler into the vector table, a copy in RAM of the flash's, and let its interrupt in. */
static void enable_interrupt(uint32_t irq, vector handler)
{
    const vector *flash = (const vector *)REG(VECTOR_TABLE);

    for (uint32_t i = 0; i < 16; i++) {
        vectors[i] = flash[i];
    }
    vectors[16 + irq] = handler;
    __asm volatile("dsb" ::: "memory");
    REG(VECTOR_TABLE) = (uint32_t)vectors;
    REG(NVIC_ENABLE(irq)) = 1U << irq % 32U;
}

/** Send a text. */
__attribute__((noipa)) void put(const char *text)
{
    for (; *text; text++) {
        put_char(*text);
    }
}

__attribute__((noipa)) number square(number x)
{
    return x * x;
}

int main(void)
{
    start();
    put("hello\r\n> ");
    for (;;) {
        while (!length || line[(length - 1) % sizeof line] != '%') {
            __asm volatile("wfi");
        }
        int result = (int)square((number)(line[0] - '0'));
        char answer[] = {(char)('0' + result / 10), (char)('0' + result % 10), '\r', '\n', 0};
        length = 0;
        put(answer);
        put("> ");
    }
}
