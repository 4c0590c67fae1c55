"""Carbon-aware scaling with KEDA: an external scaler that returns demand, held back when it pays.

The HPA takes the largest of its triggers, so a second "carbon" trigger can only add replicas.
This one wraps the demand itself: what it returns is at most what the work asks for.
"""
