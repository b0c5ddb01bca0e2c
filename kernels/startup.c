/** @file
 * Start-up of a bare Cortex-M: vector table, memory initialisation, then main().
 *
 * Weak handlers: an application's own replace them.
 */
#include <stdint.h>

extern uint32_t __stack_top[], __data_start[], __data_end[], __data_load[], __bss_start[],
    __bss_end[];
int main(void);
void ts_halt(void);
void Reset_Handler(void);

/** Sleep for ever: where the processor ends up after main() and in unexpected exceptions. */
void ts_halt(void)
{
    for (;;) {
        __asm volatile("wfi");
    }
}

/* Copying loops as they stand: the library's memcpy and memset would cost 500 bytes of flash. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void Reset_Handler(void)
{
#if defined(__ARM_FP)
    /* CPACR: full access to the FPU (CP10, CP11) before the first floating-point instruction. */
    *(volatile uint32_t *)0xE000ED88U |= 0xFU << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = __bss_start; to < __bss_end; to++) {
        *to = 0;
    }
    (void)main();
    ts_halt();
}

#define WEAK_HANDLER(name) void name(void) __attribute__((weak, alias("ts_halt")))
WEAK_HANDLER(NMI_Handler);
WEAK_HANDLER(HardFault_Handler);
WEAK_HANDLER(MemManage_Handler);
WEAK_HANDLER(BusFault_Handler);
WEAK_HANDLER(UsageFault_Handler);
WEAK_HANDLER(SVC_Handler);
WEAK_HANDLER(DebugMon_Handler);
WEAK_HANDLER(PendSV_Handler);
WEAK_HANDLER(SysTick_Handler);

typedef void (*ts_vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack_top;
    ts_vector handlers[15];
} ts_vectors = {
    __stack_top,
    {
        Reset_Handler,
        NMI_Handler,
        HardFault_Handler,
        MemManage_Handler,
        BusFault_Handler,
        UsageFault_Handler,
        0,
        0,
        0,
        0,
        SVC_Handler,
        DebugMon_Handler,
        0,
        PendSV_Handler,
        SysTick_Handler,
    },
};
