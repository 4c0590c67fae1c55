from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattribute.core.errors import ConfigInvalid
from wattribute.core.settings import Section, SettingsTree, flag, keys, words
from wattribute.core.settings import load as machinery_load
from wattribute.settings import Settings, load


def _file(folder: Path, text: str) -> Path:
    path = folder / "wattribute.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_are_in_force() -> None:
    assert load(None, {}, {}) == Settings()


def test_a_flag_beats_the_environment_and_the_environment_beats_the_file(tmp_path: Path) -> None:
    config = _file(
        tmp_path,
        "monitor: {interval: 1, linger: 1, birth_hold: 1}\nexporter: {listen: [':1', ':2']}\n",
    )
    environ = {"WATTRIBUTE_MONITOR__INTERVAL": "2", "WATTRIBUTE_MONITOR__LINGER": "2"}

    settings = load(config, environ, {"monitor.interval": "3", "exporter.listen": (":3", ":4")})

    assert settings.node.monitor.interval == 3
    assert settings.node.monitor.linger == 2
    assert settings.node.monitor.birth_hold == 1
    assert settings.node.exporter.listen == (":3", ":4")


def test_flags_that_were_not_given_change_nothing() -> None:
    assert load(None, {}, {"monitor.interval": None, "exporter.listen": ()}) == Settings()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("5s", 5), ("500ms", 0.5), ("1m", 60), ("0.25", 0.25), ("1.5s", 1.5), (" 5s ", 5)],
)
def test_times_may_be_written_with_units_everywhere(
    text: str, seconds: float, tmp_path: Path
) -> None:
    config = _file(tmp_path, f"monitor: {{interval: {text}}}")

    assert load(config, {}, {}).node.monitor.interval == seconds
    assert load(None, {"WATTRIBUTE_MONITOR__INTERVAL": text}, {}).node.monitor.interval == seconds
    assert load(None, {}, {"monitor.interval": text}).node.monitor.interval == seconds


def test_times_may_have_several_units() -> None:
    assert load(None, {}, {"monitor.linger": "1h1m30s"}).node.monitor.linger == 3690


def test_text_becomes_lists_mappings_and_truth_values() -> None:
    settings = load(
        None,
        {
            "WATTRIBUTE_METER__USE": "rapl, estimate",
            "WATTRIBUTE_ATTRIBUTION__IDLE_WATTS": "package-0=18.5, dram=3",
            "WATTRIBUTE_EXPORTER__PROCESSES": "true",
            "WATTRIBUTE_ACTIVITY__MAX_PROCESSES": "4096",
        },
        {},
    )

    assert settings.node.meter.use == ("rapl", "estimate")
    assert settings.node.attribution.idle_watts == {"package-0": 18.5, "dram": 3}
    assert settings.node.exporter.processes is True
    assert settings.node.activity.max_processes == 4096


def test_off_is_a_word_in_the_file(tmp_path: Path) -> None:
    assert load(_file(tmp_path, "workload: {kube: off}"), {}, {}).node.workload.kube == "off"


@pytest.mark.parametrize("text", ["", "# nothing\n", "monitor:\n", "monitor: {}\n"])
def test_an_empty_file_or_section_gives_nothing(text: str, tmp_path: Path) -> None:
    assert load(_file(tmp_path, text), {}, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moniter: {}", "moniter: unknown key; did you mean monitor?"),
        ("monitor: {intervall: 5}", "monitor.intervall: unknown key; did you mean monitor.int"),
        ("monitor: 5", "monitor: 5 is not a mapping"),
        ("- 5", "not a mapping"),
        ("monitor: {interval: 0}", "monitor.interval: 0 is not allowed; .* at least 0.2, at most"),
        ("monitor: {interval: soon}", "monitor.interval: 'soon' is not allowed"),
        ("monitor: {interval: .nan}", "monitor.interval: nan is not allowed"),
        ("monitor: {linger: .inf}", "monitor.linger: inf is not allowed"),
        ("exporter: {processes: yes}", "exporter.processes: 'yes' .* must be true or false"),
        ("workload: {node_name: 7}", "workload.node_name: 7 is not allowed; it must be text"),
        ("exporter: {listen: []}", r"exporter.listen: \[\] is not allowed"),
        ("exporter: {listen: ['host']}", r"exporter.listen: \['host'\] .* HOST:PORT"),
        ("exporter: {listen: [':65536']}", "HOST:PORT"),
        ("attribution: {idle_watts: {package: -1}}", "idle_watts: {'package': -1} is not allowed"),
        ("log: {level: loud}", "must be one of debug, info, warning, error"),
        ("monitor: {}\nmonitor: {}", "wattribute.yaml:1: .*'monitor' comes twice"),
        ("monitor:\n  - [", "wattribute.yaml:2: not valid YAML"),
        ("log: {level: !!python/name:os.system }", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_it(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        load(_file(tmp_path, text), {}, {})

    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"absent.yaml: cannot read the settings: No such file"):
        load(tmp_path / "absent.yaml", {}, {})


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigInvalid, match=r"settings.yaml: .* not UTF-8"):
        load(path, {}, {})


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(
        ConfigInvalid, match=r"^WATTRIBUTE_MONITOR__INTERVAL: monitor.interval: '0'"
    ):
        load(None, {"WATTRIBUTE_MONITOR__INTERVAL": "0"}, {})
    with pytest.raises(ConfigInvalid, match=r"did you mean WATTRIBUTE_MONITOR__LINGER\?"):
        load(None, {"WATTRIBUTE_MONITOR__LINGERS": "5"}, {})


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    with pytest.raises(ConfigInvalid, match=r"^--idle-watts: attribution.idle_watts: '18' is not"):
        load(None, {}, {"attribution.idle_watts": "18"})


def test_variables_that_kubernetes_makes_for_a_service_are_not_ours() -> None:
    environ = {
        "WATTRIBUTE_PORT": "tcp://10.0.0.1:9102",
        "WATTRIBUTE_SERVICE_HOST": "10.0.0.1",
        "WATTRIBUTE_PORT_9102_TCP_ADDR": "10.0.0.1",
    }

    assert load(None, environ, {}) == Settings()


@given(st.sampled_from(sorted(keys(Settings))), st.text(max_size=20))
def test_any_text_is_taken_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        settings = load(None, {}, {name: text})
    except ConfigInvalid as exc:
        assert name in str(exc)  # noqa: PT017 - taking it is right too
    else:
        assert isinstance(settings, Settings)


def test_no_two_keys_have_the_same_flag() -> None:
    flags = [key.flag for key in keys(Settings).values() if key.flag]

    assert len(flags) == len(set(flags)) >= 20


def test_sections_of_different_wings_have_different_names() -> None:
    sections = {key.path for key in keys(Settings).values()}

    assert len({path[-1] for path in sections}) == len(sections)


class _Tea(Section, frozen=True):
    """A section whose words come from a table."""

    kind: Annotated[str, words("green", "black"), flag("--kind")] = "green"
    """Which one."""
    served: tuple[Annotated[str, words("pot", "cup")], ...] = ("pot",)
    """In what."""


class _Party(SettingsTree, frozen=True):
    """A tree of that section."""

    tea: _Tea = _Tea()


def test_words_of_a_table_are_the_only_ones_allowed_and_are_listed() -> None:
    assert keys(_Party)["tea.kind"].words == ("green", "black")
    assert keys(_Party)["tea.kind"].flag == "--kind"
    assert keys(_Party)["tea.kind"].allowed == "one of green, black"
    assert keys(_Party)["tea.served"].allowed == "a list, or one text with commas, of pot, cup"
    served = machinery_load(_Party, None, {}, {"tea.kind": "black", "tea.served": "cup,pot"})
    assert served.tea == _Tea(kind="black", served=("cup", "pot"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"tea.kind": "red"}, "--kind: tea.kind: 'red' is not allowed; it must be one of green, b"),
        ({"tea.kind": "green\n"}, "is not allowed"),
        ({"tea.served": "cup,mug"}, "tea.served: 'cup,mug' is not allowed; .* of pot, cup"),
    ],
)
def test_another_word_than_those_of_the_table_is_refused(
    flags: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        machinery_load(_Party, None, {}, flags)
