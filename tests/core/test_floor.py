"""Every floor policy of the table can be chosen, and read about."""

from pathlib import Path

import pytest

from wattribute.accounting.chargeback.methods import METHODS
from wattribute.core import floor
from wattribute.core.floor import FLOOR_POLICIES, NODE_POLICIES, FloorPolicy, policy_named
from wattribute.core.settings import keys
from wattribute.settings import Settings

USER = Path(__file__).parents[2] / "docs/user"


def _guide(name: str) -> str:
    return (USER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("policy", FLOOR_POLICIES.values(), ids=FLOOR_POLICIES)
def test_a_policy_can_be_chosen_and_read_about(policy: FloorPolicy) -> None:
    name = policy.name
    assert policy_named(name) is policy
    assert f"\n{name} " in (floor.__doc__ or ""), f"{name}: not in the table of core/floor.py"
    method = next((one for one in METHODS.values() if one.floor is policy and one.by_energy), None)
    assert method is not None, f"{name}: no method of statements goes by it"
    guide = _guide("statement.md")
    described = f"`{method.id}`" in guide or f"`-{name}`" in guide
    assert described, f"{name}: describe {method.id} in docs/user/statement.md"
    if policy.on_node:
        assert name in keys(Settings)["attribution.idle_policy"].words
        assert f"`{name}`" in _guide("settings.md"), f"{name}: name it in docs/user/settings.md"


def test_agents_offer_the_policies_that_they_can_apply_and_auto() -> None:
    assert keys(Settings)["attribution.idle_policy"].words == ("auto", *NODE_POLICIES)
