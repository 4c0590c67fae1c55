"""BPF programs that run in the kernel, and the loader for them."""
