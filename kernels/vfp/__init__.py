"""Kernels for cores with a floating-point unit: Cortex-M4F, M7 and M33."""
