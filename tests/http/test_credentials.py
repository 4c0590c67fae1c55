import base64

import bcrypt
import pytest

from wattribute.http import credentials
from wattribute.http.credentials import BasicAuth


def test_a_right_password_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "FAILURE_DELAY_S", 0)
    calls = []
    hashed = bcrypt.hashpw(b"opensesame", bcrypt.gensalt(4)).decode()
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *args: calls.append(1) or real(*args))
    users = BasicAuth({"prom": hashed})
    right = "Basic " + base64.b64encode(b"prom:opensesame").decode()

    assert all(users.allows(right) for _ in range(5))
    assert len(calls) == 1
    for wrong in ("", "Bearer x", "Basic ###", "Basic " + base64.b64encode(b"no colon").decode()):
        assert not users.allows(wrong)
    assert len(calls) == 1
