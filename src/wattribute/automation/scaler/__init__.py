"""Carbon-aware scaling with KEDA: an external scaler that returns demand, reduced by a policy.

The HPA takes the largest of its triggers, so a second "carbon" trigger can only add replicas.
This scaler wraps the demand itself: its value is at most the demand of the work.
"""
