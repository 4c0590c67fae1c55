"""Signatures, against RFC 8032's own examples and against openssl."""

import shutil
import subprocess
from pathlib import Path

import pytest

from wattribute.node.estimates.model_signature import is_signed

EXAMPLES = (  # RFC 8032, section 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
            "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_the_rfc_signed_is_signed_and_any_other_bit_is_not(
    example: tuple[str, str, str],
) -> None:
    key, message, signature = map(bytes.fromhex, example)

    assert is_signed(key, message, signature)
    assert not is_signed(key, message + b"x", signature)
    for place in (0, 31, 32, 63):
        broken = bytearray(signature)
        broken[place] ^= 4
        assert not is_signed(key, message, bytes(broken))
    other = bytearray(key)
    other[5] ^= 1
    assert not is_signed(bytes(other), message, signature)


def test_what_is_malformed_is_not_signed() -> None:
    key, _, signature = (bytes.fromhex(part) for part in EXAMPLES[0])

    assert not is_signed(b"", b"", signature)
    assert not is_signed(key, b"", b"")
    assert not is_signed(key, b"", signature[:32] + b"\xff" * 32)  # S is not below the order
    assert not is_signed(b"\xff" * 32, b"", signature)  # y is not below p
    order = 2**252 + 27742317777372353535851937790883648493
    again = int.from_bytes(signature[32:], "little") + order  # the same point, written otherwise
    assert not is_signed(key, b"", signature[:32] + again.to_bytes(32, "little"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_signs_as_the_guide_says(tmp_path: Path) -> None:
    key, message, signature = (tmp_path / name for name in ("key.pem", "model.json", "model.sig"))
    message.write_bytes(b"{}" * 1000)

    def openssl(*arguments: str | Path) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout

    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message, "-out", signature)
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]

    assert is_signed(public, message.read_bytes(), signature.read_bytes())
    assert not is_signed(public, b"{}", signature.read_bytes())
