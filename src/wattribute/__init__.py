"""Who used the energy on a Linux node or in a Kubernetes cluster, and what it cost."""

__version__ = "0.1.0"
