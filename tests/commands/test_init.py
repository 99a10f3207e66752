"""A project of one's own from the wheel alone; what is built twice is the same, byte by byte."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from chaosday.commands import init
from chaosday.errors import UsageError
from chaosday.running.plugin import plugin
from chaosday.running.project import PARTS, contents, differences, laid_down

ROOT = Path(__file__).parents[2]


def build(into: Path) -> list[Path]:
    """The sdist and the wheel of this checkout."""
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(into)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return sorted(into.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built wheel, after a second build came out the same."""
    once, again = (build(tmp_path_factory.mktemp("dist")) for _ in range(2))
    assert [path.name for path in once] == [path.name for path in again]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]
    return next(path for path in once if path.suffix == ".whl")


def test_a_project_from_the_wheel_alone_has_tests_that_pass(wheel: Path, tmp_path: Path) -> None:
    """Nothing of the checkout is on the path, the home is empty: init writes the parts, and its tests pass."""
    unpacked, project = tmp_path / "site", tmp_path / "my-chaos"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(unpacked)
        assert "chaosday/py.typed" in packed.namelist()
        assert {name.split("/")[0] for name in packed.namelist()} <= {
            "chaosday",
            f"{wheel.name.split('-py3')[0]}.dist-info",
        }
    packages = [path for path in sys.path if path.endswith("site-packages")]
    paths = [str(unpacked), *packages]
    program = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]; "
    environment = {"PYTHONPATH": ":".join(paths), "HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}

    def ran(words: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program + words, *arguments],
            cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    begun = ran("import chaosday.cli as c; print(c.__file__); c.main()", "init", str(project), cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    assert begun.stdout.startswith(str(unpacked))
    assert {path.name for path in project.iterdir() if path.is_dir()} == {*PARTS, "tests"}
    tested = ran("import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))", cwd=project)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "passed" in tested.stdout


def test_upgrade_shows_what_differs_and_init_writes_over_nothing(tmp_path: Path) -> None:
    """A file of the user's stays as it is; what was changed and what is missing is shown as a patch."""
    laid_down(tmp_path / "mine", contents())
    assert list(differences(tmp_path / "mine")) == []
    changed, own = tmp_path / "mine" / "flows" / "experiment.py", tmp_path / "mine" / "own.py"
    changed.write_text("mine\n")
    own.write_text("mine\n")
    (tmp_path / "mine" / "blocks" / "aws.py").unlink()
    said = "".join(differences(tmp_path / "mine"))
    assert "-mine\n" in said and "+++ b/flows/experiment.py" in said and "+++ b/blocks/aws.py" in said
    assert "own.py" not in said
    with pytest.raises(UsageError, match="not empty"):
        laid_down(tmp_path / "mine", contents())
    assert (changed.read_text(), own.read_text()) == ("mine\n", "mine\n")


def test_a_folder_that_is_no_project_is_said_to_be_none(tmp_path: Path) -> None:
    """Nothing is compared with a folder of something else."""
    with pytest.raises(UsageError, match="no project"):
        list(differences(tmp_path))
    assert all(content is not None for content in contents().values())


def test_a_plugin_is_found_as_installed_and_its_tests_pass(tmp_path: Path) -> None:
    """Laid down by the command, built and unpacked where programs look: each member is found and does what it says."""
    site, folder = tmp_path / "site", tmp_path / "plugin"
    words = [str(folder), "--plugin", "our-drills"]
    assert CliRunner().invoke(init.command, words, standalone_mode=False).exit_code == 0
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    with zipfile.ZipFile(next((folder / "dist").iterdir())) as packed:
        packed.extractall(site)
    environment = {"PYTHONPATH": f"{site}:{ROOT}", "HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    # Each of them asks the registry for its member by name.
    tests = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "t")]
    done = subprocess.run(tests, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize(
    "name", ["", "Our", "our drills", "../our", "class", "json", "chaosday", "our-", "1our", "o\n"]
)
def test_a_name_that_no_package_can_have_is_refused(name: str) -> None:
    """Before a file is written; what Python or chaosday has itself would hide it."""
    with pytest.raises(UsageError, match="no package's name"):
        plugin(name)
