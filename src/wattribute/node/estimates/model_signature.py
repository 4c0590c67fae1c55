"""Ed25519 signatures of models (RFC 8032): they say who made a model, whoever serves it.

This is the one door to ``cryptography``, which takes 7 MB of memory. It is imported only where
``estimator.public_key`` is set.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the message; False for malformed keys and signatures."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
