from datetime import date

import pytest

from wattribute.accounting.ledger.ownership import UNOWNED, Owner, Ownership
from wattribute.accounting.settings import OwnershipRule
from wattribute.core.errors import ConfigInvalid

DAY = date(2026, 10, 5)


def test_the_first_rule_that_names_a_dimension_decides_it() -> None:
    rules = Ownership(
        [
            OwnershipRule(when={"namespace": "marketing"}, team="marketing"),
            OwnershipRule(when={"cluster": "prod-*"}, environment="production", team="platform"),
        ]
    )

    owner = rules.owner_of({"namespace": "marketing", "cluster": "prod-eu"}, DAY)

    assert owner == Owner(team="marketing", environment="production")


def test_a_label_can_name_the_owner_and_without_it_the_next_rule_is_asked() -> None:
    rules = Ownership(
        [OwnershipRule(team="{label:team}"), OwnershipRule(when={"kind": "workload"}, team="x")]
    )

    assert rules.owner_of({"label:team": "shop"}, DAY).team == "shop"
    assert rules.owner_of({"kind": "workload"}, DAY).team == "x"
    assert rules.subjects == ("label:team", "kind")


def test_what_no_rule_names_is_unowned() -> None:
    rules = Ownership([OwnershipRule(when={"namespace": "a"}, team="a")])

    assert rules.owner_of({"namespace": "b"}, DAY) == UNOWNED
    assert rules.owner_of({"namespace": "b"}, DAY).unowned


def test_a_rule_holds_from_its_first_day_until_its_last() -> None:
    rules = Ownership(
        [
            OwnershipRule(when={"owner": "Deployment/bot"}, team="old", until="2026-10-05"),
            OwnershipRule(when={"owner": "Deployment/bot"}, team="new", since="2026-10-05"),
        ]
    )

    assert rules.owner_of({"owner": "Deployment/bot"}, date(2026, 10, 4)).team == "old"
    assert rules.owner_of({"owner": "Deployment/bot"}, DAY).team == "new"


def test_a_rule_that_matches_nothing_is_said() -> None:
    rules = Ownership(
        [
            OwnershipRule(when={"namespace": "marketing"}, team="marketing"),
            OwnershipRule(when={"namespace": "markting"}, team="marketing"),
        ]
    )
    rules.owner_of({"namespace": "marketing"}, DAY)

    assert rules.unmatched() == ("ownership.rules[1] matched nothing: namespace=markting",)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (OwnershipRule(when={"naemspace": "a"}, team="a"), "'naemspace' is not known"),
        (OwnershipRule(when={"label:": "a"}, team="a"), "'label:' is not known"),
        (OwnershipRule(when={"namespace": "a"}), "names nobody"),
        (OwnershipRule(team="{team}"), "rules[0].team: 'team' is not known"),
        (OwnershipRule(team="a", since="1.10.2026"), "'1.10.2026' is not a day"),
    ],
)
def test_a_wrong_rule_is_one_clear_line(rule: OwnershipRule, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Ownership([rule])

    assert said in str(caught.value)
