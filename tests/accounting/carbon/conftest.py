from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wattribute.accounting.settings import AccountingSettings
from wattribute.settings import load
from wattribute_testing.carbon import FakeCarbonApis


@pytest.fixture
def apis() -> Iterator[FakeCarbonApis]:
    with FakeCarbonApis() as server:
        yield server


@pytest.fixture
def room(apis: FakeCarbonApis, tmp_path: Path) -> Callable[..., AccountingSettings]:
    """Settings of a grid whose sources are the fakes."""

    def make(**carbon: object) -> AccountingSettings:
        token = tmp_path / "token"
        token.write_text(f"{apis.token}\n")
        login = tmp_path / "login.yaml"
        login.write_text(f'username: {apis.username}\npassword: "{apis.password}"\n')
        keys = {
            **apis.settings(),
            "electricity_maps_token_file": str(token),
            "entsoe_token_file": str(token),
            "watttime_credentials": str(login),
            "cache": str(tmp_path / "cache"),
            **carbon,
        }
        return load(None, {}, {f"carbon.{name}": value for name, value in keys.items()}).accounting

    return make
