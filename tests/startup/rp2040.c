/** @file
 * RP2040: second-stage boot loader; then crystal, PLL to 125 MHz, UART0.
 *
 * Addresses and bits: RP2040 datasheet, 2.8.1 (boot), 2.14 (resets), 2.15 (clocks), 2.16 (crystal),
 * 2.18 (PLL), 2.19 (pins), 4.2 (UART), 4.10 (SSI).
 */
#define PROGRAM 0x10000100U
#define SSI_CTRLR0 0x18000000U
#define SSI_CTRLR1 0x18000004U
#define SSI_SSIENR 0x18000008U
#define SSI_SER 0x18000010U
#define SSI_BAUDR 0x18000014U
#define SSI_SPI_CTRLR0 0x180000F4U
#define CLK_REF_CTRL 0x40008030U
#define CLK_REF_SELECTED 0x40008038U
#define CLK_SYS_CTRL 0x4000803CU
#define CLK_SYS_SELECTED 0x40008044U
#define CLK_PERI_CTRL 0x40008048U
#define RESETS_RESET 0x4000C000U
#define RESETS_DONE 0x4000C008U
#define GPIO0_CTRL 0x40014004U
#define GPIO1_CTRL 0x4001400CU
#define XOSC_CTRL 0x40024000U
#define XOSC_STATUS 0x40024004U
#define XOSC_STARTUP 0x4002400CU
#define PLL_CS 0x40028000U
#define PLL_PWR 0x40028004U
#define PLL_FBDIV 0x40028008U
#define PLL_PRIM 0x4002800CU
#define UART_DR 0x40034000U
#define UART_FR 0x40034018U
#define UART_IBRD 0x40034024U
#define UART_FBRD 0x40034028U
#define UART_LCR_H 0x4003402CU
#define UART_CR 0x40034030U
#define UART_IMSC 0x40034038U
#define UART_MIS 0x40034040U
#define UART0_IRQ 20U
#define WATCHDOG_TICK 0x4005802CU
/* Aliases of a register where what is written sets or clears bits. */
#define SET 0x2000U
#define CLEAR 0x3000U

/**
 * The boot ROM copies the flash's first 256 bytes to RAM and enters here: nothing may depend on
 * where this stands. It sets SSI registers from a table of address and value, then goes on as a
 * reset would, with the vector table of the program.
 */
__attribute__((section(".boot2"), naked, used)) void boot2(void)
{
    __asm volatile(
        "    .syntax unified\n"
        "    cpsid i\n"
        "    adr r0, 2f\n"
        "    movs r3, #(3f - 2f) / 8\n"
        "1:  ldmia r0!, {r1, r2}\n"
        "    str r2, [r1]\n"
        "    subs r3, #1\n"
        "    bne 1b\n"
        "    ldmia r2!, {r0, r1}\n" /* the last value is where the vectors are */
        "    msr msp, r0\n"
        "    cpsie i\n"
        "    bx r1\n"
        "    .balign 4\n"
        "2:  .word %c[enable], 0\n"
        "    .word %c[speed], 4\n"          /* SCK = clk_sys / 4 */
        "    .word %c[control], %c[mode]\n" /* one line, 32-bit frames, send then read */
        "    .word %c[spi], %c[read]\n"     /* read: 8-bit command 3, 24-bit address */
        "    .word %c[frames], 0\n"         /* one frame a read */
        "    .word %c[select], 1\n"
        "    .word %c[enable], 1\n"
        "    .word %c[vectors], %c[program]\n"
        "3:\n" ::[enable] "i"(SSI_SSIENR),
        [speed] "i"(SSI_BAUDR), [control] "i"(SSI_CTRLR0), [mode] "i"(31U << 16 | 3U << 8),
        [spi] "i"(SSI_SPI_CTRLR0), [read] "i"(0x03U << 24 | 2U << 8 | 6U << 2),
        [frames] "i"(SSI_CTRLR1), [select] "i"(SSI_SER), [vectors] "i"(VECTOR_TABLE),
        [program] "i"(PROGRAM));
}

/** Release what `blocks` says from reset. */
static void release(uint32_t blocks)
{
    REG(RESETS_RESET + CLEAR) = blocks;
    while ((REG(RESETS_DONE) & blocks) != blocks) {
    }
}

/** Crystal 12 MHz / 1 * 125 / 6 / 2. */
static void start_clocks(void)
{
    REG(XOSC_CTRL) = 0xAA0U; /* 1 to 15 MHz */
    REG(XOSC_STARTUP) = 47;  /* * 256 cycles: 1 ms */
    REG(XOSC_CTRL + SET) = 0xFABU << 12;
    while (!(REG(XOSC_STATUS) & 1U << 31)) {
    }
    /* Away from the PLL before it is touched; then the reference to the crystal. */
    REG(CLK_SYS_CTRL + CLEAR) = 1U;
    while (REG(CLK_SYS_SELECTED) != 1U << 0) {
    }
    REG(CLK_REF_CTRL) = 2U;
    while (REG(CLK_REF_SELECTED) != 1U << 2) {
    }
    release(1U << 12); /* PLL_SYS */
    REG(PLL_CS) = 1;
    REG(PLL_FBDIV) = 125;
    REG(PLL_PWR + CLEAR) = 1U << 0 | 1U << 5; /* power and VCO */
    while (!(REG(PLL_CS) & 1U << 31)) {
    }
    REG(PLL_PRIM) = 6U << 16 | 2U << 12;
    REG(PLL_PWR + CLEAR) = 1U << 3; /* post dividers */
    /* The auxiliary input is chosen while it is not in use: only SRC switches without glitches. */
    REG(CLK_SYS_CTRL + CLEAR) = 7U << 5;
    REG(CLK_SYS_CTRL + SET) = 1U;
    while (REG(CLK_SYS_SELECTED) != 1U << 1) {
    }
    REG(CLK_PERI_CTRL) = 1U << 11; /* on, from clk_sys */
    REG(WATCHDOG_TICK) = 12U | 1U << 9;
}

static void UART0_IRQHandler(void)
{
    if (REG(UART_MIS) & 1U << 4) {
        received((char)REG(UART_DR));
    }
}

void put_char(char character)
{
    while (REG(UART_FR) & 1U << 5) {
    }
    REG(UART_DR) = (uint8_t)character;
}

void start(void)
{
    start_clocks();
    start_ticks(125000000U);
    release(1U << 5 | 1U << 8 | 1U << 22); /* IO_BANK0, PADS_BANK0, UART0 */
    REG(UART_IBRD) = 67;                   /* 125 MHz / 16 / 115,200 = 67.82 */
    REG(UART_FBRD) = 52;
    REG(UART_LCR_H) = 3U << 5; /* 8 bits, no FIFOs: an interrupt a character */
    REG(UART_CR) = 1U << 0 | 1U << 8 | 1U << 9;
    REG(UART_IMSC) = 1U << 4;
    REG(GPIO0_CTRL) = 2; /* UART0 TX and RX */
    REG(GPIO1_CTRL) = 2;
    enable_interrupt(UART0_IRQ, UART0_IRQHandler);
}
