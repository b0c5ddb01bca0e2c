/** @file
 * STM32L4R5: MSI to 120 MHz in boost mode, LPUART1.
 *
 * Addresses and bits: RM0432.
 */
#define PWR_CR2 0x40007004U
#define PWR_SR2 0x40007014U
#define PWR_CR5 0x40007080U
#define LPUART_CR1 0x40008000U
#define LPUART_BRR 0x4000800CU
#define LPUART_ISR 0x4000801CU
#define LPUART_RDR 0x40008024U
#define LPUART_TDR 0x40008028U
#define LPUART1_IRQ 70U
#define RCC_CR 0x40021000U
#define RCC_CFGR 0x40021008U
#define RCC_PLLCFGR 0x4002100CU
#define RCC_AHB2ENR 0x4002104CU
#define RCC_APB1ENR1 0x40021058U
#define RCC_APB1ENR2 0x4002105CU
#define FLASH_ACR 0x40022000U
#define GPIOG_MODER 0x48001800U
#define GPIOG_AFRL 0x48001820U
#define GPIOG_AFRH 0x48001824U

/** MSI 4 MHz / 1 * 60 / 2. */
static void start_clocks(void)
{
    REG(RCC_APB1ENR1) |= 1U << 28; /* PWREN */
    (void)REG(RCC_APB1ENR1);
    while (REG(PWR_SR2) & 1U << 10) { /* VOSF: the regulator changes its voltage */
    }
    REG(PWR_CR5) &= ~(1U << 8); /* boost: beyond 80 MHz */
    REG(FLASH_ACR) = (REG(FLASH_ACR) & ~0xFU) | 5U;
    while ((REG(FLASH_ACR) & 0xFU) != 5U) {
    }
    REG(RCC_PLLCFGR) = 1U << 0 | 0U << 4 | 60U << 8 | 1U << 24;
    REG(RCC_CR) |= 1U << 24; /* PLLON */
    while (!(REG(RCC_CR) & 1U << 25)) {
    }
    /* Beyond 80 MHz the core clock must pass through its half. */
    REG(RCC_CFGR) = 8U << 4 | 3U;
    while ((REG(RCC_CFGR) >> 2 & 3U) != 3U) {
    }
    for (volatile uint32_t wait = 0; wait < 60; wait++) {
    }
    REG(RCC_CFGR) &= ~(0xFU << 4);
}

static void LPUART1_IRQHandler(void)
{
    if (REG(LPUART_ISR) & 1U << 5) {
        received((char)REG(LPUART_RDR));
    }
}

void put_char(char character)
{
    while (!(REG(LPUART_ISR) & 1U << 7)) {
    }
    REG(LPUART_TDR) = (uint8_t)character;
}

void start(void)
{
    enable_fpu();
    start_clocks();
    start_ticks(120000000U);
    REG(PWR_CR2) |= 1U << 9; /* IOSV: port G has a supply of its own */
    REG(RCC_AHB2ENR) |= 1U << 6;
    REG(RCC_APB1ENR2) |= 1U << 0;
    (void)REG(RCC_APB1ENR2);
    /* PG7 sends and PG8 receives (ST-LINK's port), both alternate function 8. */
    REG(GPIOG_AFRL) = (REG(GPIOG_AFRL) & ~(0xFU << 28)) | 8U << 28;
    REG(GPIOG_AFRH) = (REG(GPIOG_AFRH) & ~0xFU) | 8U;
    REG(GPIOG_MODER) = (REG(GPIOG_MODER) & ~(0xFU << 14)) | 0xAU << 14;
    REG(LPUART_BRR) = 266667U; /* 256 * 120 MHz / 115,200 baud */
    REG(LPUART_CR1) = 1U << 0 | 1U << 2 | 1U << 3 | 1U << 5; /* on, both ways, RXNE interrupts */
    while ((REG(LPUART_ISR) & 3U << 21) != 3U << 21) { /* TEACK, REACK */
    }
    enable_interrupt(LPUART1_IRQ, LPUART1_IRQHandler);
}
