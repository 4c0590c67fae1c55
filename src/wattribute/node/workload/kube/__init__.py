"""Names of pods, from the API server or the kubelet of a Kubernetes cluster."""
