"""KEDA's gRPC contract; the Python is generated from the .proto by ``tools/build_proto.py``."""
