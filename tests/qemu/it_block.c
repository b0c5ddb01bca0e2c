/** @file
 * SVC between instructions under a condition: xPSR keeps the rest of the block (Armv7-M on).
 */
#include "report.h"

HANDLER(SVC_Handler, svc_body)
{
    (void)exc_return;
    note("svc", "frame.xpsr", frame->xpsr & XPSR_BITS);
    note("svc", "number", ((const unsigned char *)frame->pc)[-2]);
    __asm volatile("cmp %0, %0" ::"r"(1) : "cc"); /* its flags are its own */
}

/** Run SVC third of four, with the condition given by what is compared. */
__attribute__((noinline)) static unsigned block(unsigned left, unsigned right)
{
    unsigned value = 0;
#if IS_V7
    __asm volatile(UNIFIED "cmp %1, %2\n\titete eq\n\t"
                           "addeq %0, #1\n\taddne %0, #2\n\tsvceq 5\n\taddne %0, #4\n\tadds %0, #8"
                   : "+l"(value)
                   : "l"(left), "l"(right)
                   : "cc", "memory");
    __asm volatile(UNIFIED "cmp %1, %2\n\tittt eq\n\t"
                           "svceq 6\n\taddeq %0, #16\n\taddeq %0, #32\n\tadds %0, #64"
                   : "+l"(value)
                   : "l"(left), "l"(right)
                   : "cc", "memory");
#endif
    __asm volatile(UNIFIED "adds %0, #128\n\tsvc 7" : "+l"(value)::"cc", "memory");
    return value;
}

int main(void)
{
    __asm volatile("msr apsr_nzcvq, %0" ::"r"(0) : "cc");
    note("block", "equal", block(3, 3));
    note("block", "unequal", block(3, 4));
    note("block", "equal again", block(5, 5));
    report();
}
