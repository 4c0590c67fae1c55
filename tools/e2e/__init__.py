"""The whole way on a real cluster: install, load two pods, assert their watts, upgrade, uninstall.

``make e2e`` uses the cluster of ``KUBECONFIG``, 1.27 or newer, by the programs ``kubectl`` and
``helm``, and an image that the nodes can pull or have already:
``make e2e ARGS="--image registry/wattribute:0.1.0"``.
"""
