"""What networks compute that torch has no fast form for: one function for all devices, kernels below it."""
