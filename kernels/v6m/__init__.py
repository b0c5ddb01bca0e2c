"""Kernels for cores with 16-bit instructions only: Cortex-M0 and M0+."""
