/** @file
 * What a program observes: a table of named words, printed by semihosting at its end.
 *
 * Both emulators run the same image, so every line must be the same. Nothing here uses the FPU.
 */
#ifndef REPORT_H
#define REPORT_H

#define REG(address) (*(volatile unsigned *)(address))
#define REG8(address) (*(volatile unsigned char *)(address))

#define ISER REG(0xE000E100)
#define ICER REG(0xE000E180)
#define ISPR REG(0xE000E200)
#define ICPR REG(0xE000E280)
#define IABR REG(0xE000E300)
#define IPR(irq) REG(0xE000E400 + ((irq) & ~3))
#define ICSR REG(0xE000ED04)
#define AIRCR REG(0xE000ED0C)
#define CCR REG(0xE000ED14)
#define SHPR1 REG(0xE000ED18)
#define SHPR2 REG(0xE000ED1C)
#define SHPR3 REG(0xE000ED20)
#define SHCSR REG(0xE000ED24)
#define HFSR REG(0xE000ED2C)
#define STIR REG(0xE000EF00)
#define FPCCR REG(0xE000EF34)
#define FPDSCR REG(0xE000EF3C)

#define NMIPENDSET (1u << 31)
#define PENDSVSET (1u << 28)
#define PENDSVCLR (1u << 27)
#define PENDSTSET (1u << 26)
#define PENDSTCLR (1u << 25)
#define RETTOBASE (1u << 11)

#define IS_V7 (__ARM_ARCH >= 7)
#define HAS_FPU (defined(__ARM_FP))

/* Bits 6 and 0 of EXC_RETURN say Secure on QEMU's Cortex-M33, which boots so; tinysim's is one
 * without the Security Extension. The other bits must agree. */
#if __ARM_ARCH >= 8
#define EXC_RETURN_BITS 0xFFFFFFBEu
#else
#define EXC_RETURN_BITS 0xFFFFFFFFu
#endif
/* Bit 20 of a stacked xPSR is SFPA on a core with the Security Extension. */
#define XPSR_BITS 0xFFEFFFFFu
/* nPRIV, SPSEL, FPCA: bit 3 (SFPA) exists in Secure state only. */
#define CONTROL_BITS 7u

/* Inline assembly for Armv6-M is in the divided syntax by default. */
#define UNIFIED ".syntax unified\n\t"
#define BARRIER() __asm volatile("dsb\n\tisb" ::: "memory")
#define READ(special)                                                                              \
    ({                                                                                             \
        unsigned read_;                                                                            \
        __asm volatile("mrs %0, " special : "=r"(read_)::"memory");                                \
        read_;                                                                                     \
    })
#define WRITE(special, value)                                                                      \
    __asm volatile("msr " special ", %0\n\tisb" ::"r"((unsigned)(value)) : "memory")

/* The assembler's part of a handler: body(frame on MSP, EXC_RETURN). */
#define HANDLER(name, body)                                                                        \
    __attribute__((naked)) void name(void)                                                         \
    {                                                                                              \
        __asm volatile("mrs r0, msp\n\tmov r1, lr\n\tpush {r4, lr}\n\tbl " #body                   \
                       "\n\tpop {r4, pc}");                                                        \
    }                                                                                              \
    __attribute__((used)) void body(struct frame *frame, unsigned exc_return)

struct frame {
    unsigned r0, r1, r2, r3, r12, lr, pc, xpsr;
};

#if IS_V7
#define OBSERVED_MAX 1000
#else
#define OBSERVED_MAX 400 /* of 16 KB of RAM */
#endif
unsigned observed[OBSERVED_MAX];
static const char *observed_where[OBSERVED_MAX], *observed_what[OBSERVED_MAX];
unsigned observed_count;

__attribute__((noinline)) static void note(const char *where, const char *what, unsigned value)
{
    if (observed_count < OBSERVED_MAX) {
        observed_where[observed_count] = where;
        observed_what[observed_count] = what;
        observed[observed_count++] = value;
    }
}

__attribute__((noinline)) static unsigned semihosting(unsigned call, const void *argument)
{
    register unsigned r0 __asm("r0") = call;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/** Print the table: "where: what = hexadecimal". */
__attribute__((noinline)) static void print_observed(void)
{
    for (unsigned i = 0; i < observed_count; i++) {
        char word[] = " = 00000000\n";
        for (unsigned digit = 0; digit < 8; digit++) {
            word[3 + digit] = "0123456789abcdef"[observed[i] >> (28 - 4 * digit) & 15];
        }
        semihosting(4, observed_where[i]);
        semihosting(4, ": ");
        semihosting(4, observed_what[i]);
        semihosting(4, word);
    }
    if (observed_count == OBSERVED_MAX) {
        semihosting(4, "the table is full: raise OBSERVED_MAX\n");
    }
}

/** Where both emulators are asked what has been executed. */
__attribute__((noipa)) void finished(void)
{
    __asm volatile("nop");
}

/** Print and end. */
__attribute__((noreturn, noinline)) static void report(void)
{
    print_observed();
    finished();
    semihosting(0x18, (const void *)0x20026);
    for (;;) {
    }
}

#endif
