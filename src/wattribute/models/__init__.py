"""Power models: training, serving, and recordings to learn from."""
