"""The programs that run in the kernel, and the loader that puts them there."""
