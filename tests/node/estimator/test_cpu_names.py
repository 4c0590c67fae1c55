"""CPU names as people, kernels and clouds write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.node.estimator.cpu_names import base_key, cpu_key, family_of, ghz_in


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", "xsp-8259cl"),
        ("Intel(R) Xeon(R) Gold 6438Y+", "xsp-6438y+"),
        ("Intel Xeon Platinum 8592+ 1.9 GHz", "xsp-8592+"),
        ("Intel Xeon 8592+ 1.9 GHz", "xsp-8592+"),
        ("Intel Skylake P-8175", "xsp-8175"),
        ("INTEL(R) XEON(R) PLATINUM 8581C CPU @ 2.10GHz", "xsp-8581c"),
        ("Intel(R) Xeon(R) 6980P", "x6-6980p"),
        ("Intel(R) Xeon(R) Gold 6780E, 2.20GHz", "x6-6780e"),
        ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "e5-2686v4"),
        ("Intel Xeon E5-2683 V4", "e5-2683v4"),
        ("Intel Xeon E3-1265LV2", "e3-1265lv2"),
        ("INTEL Xeon E5-2650", "e5-2650"),
        ("Intel Haswell E7 8880v3", "e7-8880v3"),
        ("Intel(R) Xeon(R) E-2278G CPU @ 3.40GHz", "e-2278g"),
        ("Intel(R) Xeon(R) D-2775TE CPU @ 2.00GHz", "xd-2775te"),
        ("Intel(R) Xeon(R) CPU X5650 @ 2.67GHz", "x5650"),
        ("Intel Xeon Processor L3360", "l3360"),
        ("AMD EPYC 7571", "epyc-7571"),
        ("AMD EPYC™ 9654P 96-Core Processor", "epyc-9654p"),
        ("2nd Gen AMD EPYC 7R32", "epyc-7r32"),
        ("AMD EPYC 9R14", "epyc-9r14"),
        ("AMD Opteron(tm) Processor 6380", "opteron-6380"),
        ("AMD Opteron 4310 EE", "opteron-4310ee"),
        ("Ampere Altra Max 64-Bit Multi-Core Processor M128-30", "altra-m128-30"),
        ("AWS Graviton4 Processor", "graviton4"),
        ("Annapurna Labs Graviton3E", "graviton3e"),
        ("Google Axion", "axion"),
        ("AMD Ryzen Threadripper 1950X 16-Core Processor", "threadripper-1950x"),
        ("AMD Ryzen 7 5800X 8-Core Processor", "ryzen-5800x"),
        ("Intel(R) Core(TM) i7-8700B CPU @ 3.20GHz", "i7-8700b"),
        # what virtual machines show when they are told to hide it
        ("AMD EPYC", ""),
        ("AMD EPYC Processor", ""),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", ""),
        ("Intel Xeon Processor (Skylake, IBRS)", ""),
        ("Neoverse-N1", ""),
        ("QEMU Virtual CPU version 2.5+", ""),
        ("", ""),
    ],
)
def test_a_name_tells_the_model_or_nothing(name: str, key: str) -> None:
    assert cpu_key(name) == key


def test_product_lines_and_single_socket_letters() -> None:
    assert family_of("xsp-8259cl") == "xsp-8"
    assert family_of("e5-2686v4") == "e5"
    assert family_of("x5650") == "x"
    assert family_of("") == ""
    assert base_key("epyc-9654p") == base_key("epyc-9654") == "epyc-9654"
    assert base_key("x6-6980p") == "x6-6980p"


def test_the_clock_in_a_name() -> None:
    assert ghz_in("Intel(R) Xeon(R) CPU @ 2.20GHz") == 2.2
    assert ghz_in("AMD EPYC 9755 2.7GHz") == 2.7
    assert ghz_in("AMD EPYC") == 0.0


@given(st.text(max_size=300) | st.from_regex(r"(Intel|AMD|Xeon|EPYC|E5-| )*\d{0,9}\w{0,9}"))
def test_any_text_gives_a_key_or_none(name: str) -> None:
    key = cpu_key(name)

    assert key == cpu_key(name)
    assert " " not in key
    assert ";" not in key
    ghz_in(name)
    family_of(key)
