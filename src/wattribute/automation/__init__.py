"""What acts on the numbers: the CI energy gate and the KEDA scaler."""
