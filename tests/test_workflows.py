"""The workflows: valid, safe, and calling what the Makefile has."""

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
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def command(name, *arguments):
    finished = subprocess.run(
        [Path(sys.executable).with_name(name), *arguments], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def workflow(name):
    # YAML 1.1 reads the key "on" as a boolean.
    return yaml.safe_load((GITHUB / "workflows" / name).read_text().replace("\non:", "\n'on':"))


def steps(name):
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [("workflows", WORKFLOWS), ("actions", ACTIONS)],
    ids=["workflows", "actions"],
)
def test_the_schema_holds(schema, paths):
    assert paths
    command("check-jsonschema", "--builtin-schema", f"vendor.github-{schema}", *paths)


def test_the_security_linter_finds_nothing():
    command("zizmor", "--offline", "--quiet", ROOT / ".github")


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash(path):
    for used in re.findall(r"uses: (\S+)", path.read_text()):
        assert used.startswith("$/.github/") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_given_job_by_job(path):
    content = workflow(path.name)
    assert content["permissions"] == {}
    assert "concurrency" in content
    for job in content["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_commands_are_in_the_makefile(path):
    called = re.findall(r"run: make ([a-z-]+)", path.read_text())
    assert called
    assert set(called) <= TARGETS


def test_the_cpu_workflow_runs_every_python():
    content = workflow("tests.yml")
    assert {"push", "pull_request"} <= set(content["on"])
    matrix = content["jobs"]["cpu"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    commands = [step.get("run") for step in content["jobs"]["cpu"]["steps"]]
    assert commands[-2:] == ["make test", "make book"]


def test_forks_never_reach_the_gpu():
    content = workflow("gpu.yml")
    assert set(content["on"]) == {"workflow_dispatch", "schedule", "pull_request"}
    assert content["on"]["pull_request"] == {"types": ["labeled"]}
    [job] = content["jobs"].values()
    assert "head.repo.full_name == github.repository" in job["if"]
    assert "vars.GPU_RUNNER" in job["runs-on"]


def test_the_site_is_published_with_its_address():
    [build] = [step for step in steps("publish.yml") if step.get("run") == "make book"]
    assert set(build["env"]) == {"BOOK_BASE_URL", "BOOK_REPOSITORY"}
    assert any("make links" in step.get("run", "") for step in steps("publish.yml"))


def test_the_gpu_lock_has_the_versions_of_the_other():
    """What both name is the same; the rest is CUDA's."""

    def pins(name):
        found = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / name).read_text(), re.MULTILINE)
        return {(package, version) for package, version in found}

    both, gpu = pins("requirements.txt"), pins("requirements-gpu.txt")
    names = {package for package, _ in both}
    assert {pin for pin in gpu if pin[0] in names} <= both
    extra = {package for package, _ in gpu} - names
    assert {"jax-cuda12-plugin", "nvidia-cudnn-cu12"} <= extra
    assert all(re.match(r"nvidia-|jax-cuda12-", package) for package in extra), extra
