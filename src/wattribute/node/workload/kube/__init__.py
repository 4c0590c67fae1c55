"""Sources of pod names: the API server or the kubelet of a Kubernetes cluster."""
