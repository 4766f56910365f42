"""The style of all code; the workflows are valid, safe and not stopped by a missing GPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))


def workflow(name):
    # YAML 1.1 reads the key "on" as a boolean.
    return yaml.safe_load((GITHUB / "workflows" / name).read_text().replace("\non:", "\n'on':"))


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS],
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", *ACTIONS],
        # Pinned actions, few permissions, no injection.
        ["zizmor", "--offline", "--quiet", GITHUB],
        ["ruff", "check", "--quiet", ROOT],
        ["ruff", "format", "--check", "--quiet", ROOT],
    ],
    ids=["workflows", "actions", "zizmor", "style", "style's format"],
)
def test_the_linters_find_nothing(command):
    program = Path(sys.executable).with_name(command[0])
    finished = subprocess.run([program, *command[1:]], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_end_and_commands_are_in_the_makefile(path):
    assert all(job["timeout-minutes"] <= 60 for job in workflow(path.name)["jobs"].values())
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = re.findall(r"run: make ([a-z-]+)", path.read_text())
    assert called and set(called) <= set(targets)


def test_forks_never_reach_the_gpu_and_nothing_waits_for_one_that_is_not_there():
    content = workflow("gpu.yml")
    assert set(content["on"]) == {"workflow_dispatch", "schedule", "pull_request"}
    assert content["on"]["pull_request"] == {"types": ["labeled"]}
    [job] = content["jobs"].values()
    assert job["if"].startswith("vars.GPU_RUNNER != '' && (")
    assert "head.repo.full_name == github.repository" in job["if"]


@pytest.mark.parametrize(
    ("listed", "downloaded"),
    [("exit 1", None), ("true", None), ("echo 17", "exit 1"), ("echo 17", "true")],
    ids=["no answer", "no run", "expired", "there"],
)
def test_the_site_is_published_with_the_main_branch_s_gpu_status_or_without(
    tmp_path, listed, downloaded
):
    """Artifacts expire, and there may have been no run; a pull request's isn't the book's."""
    [step] = [s for s in workflow("publish.yml")["jobs"]["build"]["steps"] if "GPU" in str(s)]
    gh, calls = tmp_path / "gh", tmp_path / "calls"
    gh.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\n'
        f'case "$*" in "run list"*) {listed};; *) {downloaded};; esac\n'
    )
    gh.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    # As GitHub runs it.
    finished = subprocess.run(["bash", "-e", "-c", step["run"]], env=environment)
    assert finished.returncode == 0
    first, *rest = calls.read_text().splitlines()
    assert "--branch main" in first
    assert [line[:15] for line in rest] == ["run download 17"] * bool(downloaded)
