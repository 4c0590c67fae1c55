"""The GitHub Action and the GitLab template: valid, and run as those systems run them."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "action.yml"
TEMPLATE = ROOT / "deploy/ci/energy-gate.gitlab-ci.yml"
WORK = "for i in range(10): pass\n"
WIDE = "--max-spread 900% --detect 900% --max-busy 100% --meters estimate --activity procfs"


@pytest.mark.parametrize(
    ("file", "schema"), [(ACTION, "github-actions.json"), (TEMPLATE, "gitlab-ci.json")]
)
def test_the_file_is_what_the_system_reads(file: Path, schema: str) -> None:
    package = pytest.importorskip("check_jsonschema", reason="check-jsonschema holds the schemas")
    text = (resources.files(package) / "builtin_schemas/vendor" / schema).read_text()
    jsonschema.validate(yaml.safe_load(file.read_text()), json.loads(text))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two revisions of the same work."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "work.py").write_text(WORK)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"],
                      ["commit", "-qm", "two", "--allow-empty"]):  # fmt: skip
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


def step(number: int) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(ACTION.read_text())["runs"]["steps"][number]
    return found


def environment(project: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "GITHUB_ACTION_PATH": str(ROOT),
        "HOME": str(project),
        **more,
    }


def as_github(project: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the step that measures, with what `${{ inputs.x }}` becomes."""
    given = {name: str(one.get("default", "")) for name, one in
             yaml.safe_load(ACTION.read_text())["inputs"].items()} | inputs  # fmt: skip
    temp = project.parent / "temp"
    temp.mkdir(exist_ok=True)
    values = {
        "${{ runner.temp }}/wattribute-gate": str(temp / "wattribute-gate"),
        "github": "github",
    }
    values |= {f"${{{{ inputs.{name} }}}}": value for name, value in given.items()}
    env = {name: values[value] for name, value in step(1)["env"].items()}
    files = {"GITHUB_OUTPUT": str(temp / "output"), "GITHUB_STEP_SUMMARY": str(temp / "summary")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(1)["run"]],
        cwd=project, env=environment(project, **env, **files),
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return done, temp


def test_the_action_measures_both_revisions_and_leaves_all_reports(project: Path) -> None:
    command = f"{sys.executable} -I -S work.py"
    done, temp = as_github(project, command=command, base="HEAD~1", runs="5", arguments=WIDE)

    assert done.returncode == 0, done.stderr
    assert "::notice file=" in done.stdout
    assert "verdict=pass\nexit-code=0\n" in (temp / "output").read_text()
    assert (temp / "summary").read_text().startswith("<!-- wattribute-gate -->\n")
    files = {path.name for path in (temp / "wattribute-gate").iterdir()}
    assert {"energy.json", "energy.md", "energy.xml", "energy.sarif", "energy.prom",
            "energy-benchmark.json", "energy-codequality.json"} <= files  # fmt: skip


def test_the_action_fails_on_a_limit_and_can_be_lenient_with_noise(project: Path) -> None:
    failing = f"{WIDE} --absolute cpu_s<0.0000001"
    done, temp = as_github(
        project, command="python3 work.py", base="HEAD~1", runs="6", arguments=failing
    )
    assert done.returncode == 1
    assert "::error file=" in done.stdout
    assert "verdict=regression" in (temp / "output").read_text()
    few = {"command": "true", "base": "HEAD~1", "runs": "1", "arguments": WIDE}
    assert as_github(project, **few)[0].returncode == 3
    assert as_github(project, **few, **{"too-noisy": "warn"})[0].returncode == 0


def test_a_new_branch_has_no_base_and_says_so(project: Path) -> None:
    done, _ = as_github(project, command="true", base="0" * 40)

    assert done.returncode == 2
    assert "no base revision" in done.stderr


def test_the_comment_is_written_once_and_then_updated(project: Path) -> None:
    """With a `gh` that keeps comments in a file."""
    temp = project.parent
    (temp / "bin").mkdir()
    gh = temp / "bin/gh"
    gh.write_text(
        '#!/usr/bin/env bash\necho "$@" >>"$HOME/calls"\n'
        '[[ "$*" == *--paginate* ]] && { [[ -f "$HOME/comment" ]] && echo 77; exit 0; }\n'
        'touch "$HOME/comment"\n'
    )
    gh.chmod(0o755)
    (temp / "energy.md").write_text("<!-- wattribute-gate -->\n## passed\n")
    env = environment(
        project, GATE_REPORTS=str(temp), GATE_PULL_REQUEST="5", GITHUB_REPOSITORY="o/r",
    )  # fmt: skip
    env["PATH"] = f"{temp / 'bin'}:{env['PATH']}"
    for _ in range(2):
        subprocess.run(["bash", "-c", step(2)["run"]], env=env, check=True, cwd=project)

    calls = (project / "calls").read_text().splitlines()
    assert f"--method POST repos/o/r/issues/5/comments --field body=@{temp}/energy.md" in calls[1]
    assert "--method PATCH repos/o/r/issues/comments/77" in calls[3]


def test_comments_are_off_and_inputs_never_become_code() -> None:
    action = yaml.safe_load(ACTION.read_text())

    assert action["inputs"]["comment"]["default"] == "false"
    assert all("${{" not in one["run"] for one in action["runs"]["steps"])


def test_the_template_runs_as_gitlab_runs_it(project: Path) -> None:
    job = yaml.safe_load(TEMPLATE.read_text())[".energy-gate"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD~1"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    variables = job["variables"] | {
        "GATE_SCRIPT": str(ROOT / "deploy/ci/energy-gate.sh"),
        "GATE_COMMAND": f"{sys.executable} -I -S work.py",
        "GATE_BASE": head,
        "GATE_RUNS": "5",
        "GATE_ARGUMENTS": WIDE,
    }
    (line,) = job["script"]
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line], cwd=project,
        env=environment(project, **variables), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    for path in job["artifacts"]["reports"].values():
        assert (project / path).stat().st_size > 0 or path.endswith("codequality.json")
