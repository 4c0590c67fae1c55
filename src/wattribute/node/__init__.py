"""The node: sensors and the kernel in, attributed energy out."""
