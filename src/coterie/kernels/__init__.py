"""Kernels: arrays in, arrays out. Numba loops over a range of rows, run over a pool of threads."""
