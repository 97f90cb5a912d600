"""Developer sessions: `nox` runs the usual ones, `nox -s long timed` those of minutes.

Everything after `--` goes to pytest: `nox -s tests-3.12 -- -k supervisor`.
"""

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
CHECKED = ["trio_otp", "_trio_otp_pytest.py", "docs", "examples", "tests", "noxfile.py"]
# What the tests read and run beside the package, the sources of which are left behind.
BESIDE = ["tests", "examples", "docs", "*.toml", "noxfile.py", "*.md", "LICENSE", ".pre-commit-*"]
# What stands in every file that a rule of flake8-async could be about.
ABOUT_ASYNC = re.compile(r"\b(async|await|trio|BaseException)\b|\bexcept *[:*]")
# 102: clean-up is shielded where it is done, in `Home.close` and `stop`, and each process has its
# own limit; the rule looks for both at the place of the call.
# 109: `timeout=` is OTP's word for a limit that also ends the wait in the server.
# 114: supervisors start what calls `started()`, as the acceptor of a service, and no nursery does.
# 120: a cancellation may take the place of an exit reason, never of an error that is raised.
# 122: concerns Trio before 0.27 only.
# 128: `otp.enter_loop` calls `started()`, too.
# 300: concerns asyncio only.
# 9xx, off by default: they ask for a checkpoint in handlers and inner functions too. That every
# public function has one is tested by running it (tests/test_checkpoints.py).
NO_RULES = (102, 109, 114, 120, 122, 128, 300, 900, 910, 911, 912, 913)
# 124: in an example what has nothing to wait for stands in for what has.
ASYNC_OFF = {"trio_otp": NO_RULES, "examples": (*NO_RULES, 124)}

# Each kernel and each program would compile what it imports, where nothing is to be written.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
# Some tests take longer than the time after which a hanging short one shows its stacks.
PATIENT = ["-o", "faulthandler_timeout=400"]
ENDLESS = ["-o", "faulthandler_timeout=1700"]

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "demo"]


def _output(*command: str) -> str | None:
    """Run a command and return what it printed, or None if it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _pyenv_bin(version: str) -> Path | None:
    """Return the directory of pyenv's newest Python of this version, which no shim may show."""
    root = Path((_output("pyenv", "root") or "").strip() or os.devnull)
    found = [path for path in root.glob(f"versions/{version}.*/bin") if path.is_dir()]
    return max(
        found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], default=None
    )


def _installed(version: str) -> bool:
    """Check whether this Python is there, and put it on PATH if only pyenv has it."""
    if _output(f"python{version}", "-c", "") is not None:
        return True
    directory = _pyenv_bin(version)
    if directory is None or _output(str(directory / f"python{version}"), "-c", "") is None:
        return False
    os.environ["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return True


PYTHONS = [version for version in nox.project.python_versions(PROJECT) if _installed(version)]


def _install(session: nox.Session, *groups: str) -> None:
    """Install the library and groups; what is imported is compiled then, and most never is."""
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    session.install("-q", "--no-compile", "-e", ".", *requirements)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the short tests on every Python that is installed."""
    _install(session, "test")
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the short tests with branch coverage of the library, and hold it to its limit."""
    _install(session, "test")
    session.env["COVERAGE_FILE"] = str(_emptied(session, "data") / "coverage")
    # With the tests of nodes, some of which are programs beside the tests.
    chosen = [
        "-m",
        "not slow and not soak and not kernel and not built and not browser and not command",
    ]
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", *chosen, *session.posargs)
    session.run("coverage", "combine", "-q")
    if not session.posargs:  # a selection of the tests covers what it covers
        session.run("coverage", "report")


@nox.session
def wheel(session: nox.Session) -> None:
    """Run the short tests against the built wheel, with the sources of the library left behind."""
    (built,) = _build(session, "wheel").glob("*.whl")
    session.install("-q", "--force-reinstall", "--no-deps", str(built))
    session.install("-q", str(built), *nox.project.dependency_groups(PROJECT, "test"))
    folder = _emptied(session, "beside")
    for found in (path for pattern in BESIDE for path in Path().glob(pattern)):
        if found.is_dir():
            shutil.copytree(found, folder / found, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(found, folder)
    with session.chdir(folder):
        # The rest of the session would say nothing about the wheel.
        where = "import sys, trio_otp; sys.exit(not trio_otp.__file__.startswith(sys.prefix))"
        session.run("python", "-c", where)
        # Those of what is built, too.
        chosen = [
            "-m",
            "not slow and not soak and not kernel and not browser and not command and not interop",
        ]
        session.run("python", "-m", "pytest", "-q", "-n", "auto", *chosen, *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """Unpack the built sdist and run the short tests there, as a distributor does."""
    (built,) = _build(session, "sdist").glob("*.tar.gz")
    folder = _emptied(session, "unpacked")
    with tarfile.open(built) as archive:
        archive.extractall(folder, filter="data")
    with session.chdir(folder / built.name.removesuffix(".tar.gz")):
        _install(session, "test")
        session.run("python", "-m", "pytest", "-q", "-n", "auto", *session.posargs)


def _build(session: nox.Session, kind: str) -> Path:
    """Build a wheel or an sdist; return the folder that holds it alone."""
    folder = _emptied(session, "dist")
    session.install("-q", *nox.project.dependency_groups(PROJECT, "build"))
    session.run("python", "-m", "build", f"--{kind}", "--outdir", str(folder), silent=True)
    return folder


def _emptied(session: nox.Session, name: str) -> Path:
    """Return an empty folder of a session.

    Not one of `create_tmp`, which sets TMPDIR: the folders of tests would be inside the repository,
    where the pytest that a test starts finds the settings of this project.
    """
    folder = session.cache_dir.absolute() / session.name / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@nox.session
def long(session: nox.Session) -> None:
    """Run the tests that take minutes, among them those that break each law of the library."""
    _install(session, "test")
    session.run("python", "-m", "pytest", "-m", "slow and not timed", "-n", "auto", *PATIENT)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the tests of a million steps, before a release; `-- --minutes 30`: soak a tree."""
    _install(session, "test")
    if session.posargs:
        session.run("python", "-m", "tests.soak", *session.posargs)
        return
    session.run("python", "-m", "pytest", "-m", "soak", "-n", "auto", *ENDLESS)


@nox.session
def timed(session: nox.Session) -> None:
    """Run the tests that compare times, one after the other."""
    _install(session, "test")
    session.run("python", "-m", "pytest", "-m", "timed", *PATIENT)


@nox.session
def outside(session: nox.Session) -> None:
    """Run what `tutorial`, `command`, `interop`, `observer`, `notebook` and `site` run, at once."""
    _install(session, "test", "typing", "browser", "lab", "docs", "tutorial")
    chosen = "kernel or command or interop or browser"
    command = ["python", "-m", "pytest", "-q", "-m", chosen, "-n", "2", "--dist", "loadgroup"]
    session.run(*command, *PATIENT, *session.posargs, env=COMPILED)


@nox.session
def tutorial(session: nox.Session) -> None:
    """Run the notebooks of the tutorial, and what else needs Jupyter's kernel.

    `-- --write` renews what the notebooks show, `-- --write 3` that of the third.
    """
    _install(session, "tutorial")
    tests = "tests/notebook/test_notebook_kernel.py"
    command = ["python", "-m", "pytest", "-q", "-m", "kernel", tests, *session.posargs]
    if session.posargs[:1] == ["--write"]:
        command = ["python", "tests/support/tutorial_kit.py", *session.posargs[1:]]
    session.run(*command, env=COMPILED)


@nox.session
def observer(session: nox.Session) -> None:
    """Look at running programs in a real browser, Debian's `chromium` or another one on PATH."""
    _install(session, "test", "browser")
    command = ["python", "-m", "pytest", "-q", "-m", "browser", "tests/browser", *PATIENT]
    session.run(*command, *session.posargs)


@nox.session
def notebook(session: nox.Session) -> None:
    """Look at a notebook in JupyterLab, in a real browser as `observer` does."""
    _install(session, "test", "browser", "lab")
    command = ["python", "-m", "pytest", "-q", "-m", "browser", "tests/notebook", *PATIENT]
    session.run(*command, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into `site`: of this tree, or `-- --all` of every tag and `main`."""
    groups = nox.project.dependency_groups(PROJECT, "docs")
    # Not the library itself: each version is imported from its own tree. So nothing is built here,
    # and once these are installed no network is needed.
    session.install("-q", *groups, *PROJECT["project"]["dependencies"])
    inventories = session.cache_dir.absolute() / session.name / "inventories"
    session.run("python", "docs/build.py", "--inventories", str(inventories), *session.posargs)


@nox.session
def command(session: nox.Session) -> None:
    """Complete `trio-otp` in real shells, and try a new project in a fresh environment."""
    _install(session, "test", "typing")
    parts = ["-n", "auto", "--dist", "loadfile"]
    command = ["python", "-m", "pytest", "-q", "-m", "command", "tests/new", *parts, *PATIENT]
    session.run(*command, *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the site, and look at it in a real browser as `observer` does."""
    _install(session, "test", "browser", "docs")
    command = ["python", "-m", "pytest", "-q", "-m", "browser", "tests/site", *PATIENT]
    session.run(*command, *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """Run made-up scenarios on real OTP, where `elixir` is there, and here: `-- COUNT`."""
    _install(session, "test")
    folder = Path(session.create_tmp()) / "found"
    command = ["python", "-m", "tests.conformance.differential", "--save", str(folder)]
    session.run(*command, *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Talk to real Elixir, and to other nodes of ours: programs beside the tests."""
    _install(session, "test")
    command = ["python", "-m", "pytest", "-q", "-m", "interop", "-n", "auto", "tests"]
    session.run(*command, *session.posargs)


@nox.session(python=PYTHONS[-1] if PYTHONS else None)
def bench(session: nox.Session) -> None:
    """Measure the library beside floors and peers: `-- --quick`, `-- --help`."""
    session.install("-q", "-e", ".")
    missing = [f"--missing={name}={why}" for name, why in _install_peers(session).items()]
    session.run("python", "-m", "tests.benchmarks", *missing, *session.posargs)


# {peer: what pip installs}, in step with tests/benchmarks/peers.
PEERS = {
    "triotp": "triotp>=0.3",
    "async-pykka": "async-pykka",
    "everything-is-an-actor": "everything-is-an-actor",
    "pykka": "pykka",
    "otpylib": "otpylib",
    "fauxtp": "fauxtp",
    "lapinbeam": "lapinbeam",
    "casty": "casty",
    "transitions": "transitions",
}


def _install_peers(session: nox.Session) -> dict[str, str]:
    """Install each peer that this Python can have; return {peer: why not} of the others."""
    if not _install_peer(session, *PEERS.values()):  # all at once, which is ten times as fast
        return {}
    said = {name: _install_peer(session, requirement) for name, requirement in PEERS.items()}
    return {name: _why(text) for name, text in said.items() if text}


def _install_peer(session: nox.Session, *requirements: str) -> str:
    """Install peers; return what pip said if it cannot."""
    # With what the library itself needs, so that no peer takes Trio back to an older one.
    command = ["python", "-m", "pip", "install", "-q", *requirements, "-e", "."]
    said = session.run(*command, silent=True, success_codes=[0, 1]) or ""
    return said if "ERROR:" in said else ""


def _why(said: str) -> str:
    """Return the Python that a package asks for, or else the last error of pip."""
    wanted = re.findall(r"Requires-Python ([^;\s]+)", said)
    if wanted:
        return f"it needs Python {wanted[-1]}"
    return next(line for line in reversed(said.splitlines()) if "ERROR:" in line)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, likely bugs, spelling, pyproject.toml and the rules of async code.

    .pre-commit-config.yaml has the same checks but the last, which takes half a minute.
    """
    session.install("-q", *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", *CHECKED)
    session.run("ruff", "format", "--check", *CHECKED)
    session.run("codespell")
    session.run("typos")
    session.run("validate-pyproject", "pyproject.toml")
    _flake8_async(session)


def _flake8_async(session: nox.Session) -> None:
    """Run flake8-async on all cores: it takes half a second and more for each file."""
    statuses = [_flake8_async_of(session, *each) for each in ASYNC_OFF.items()]
    if any(statuses):
        session.error("flake8-async has found something")


def _flake8_async_of(session: nox.Session, folder: str, off: tuple[int, ...]) -> bool:
    disable = f"--disable={','.join(f'ASYNC{number}' for number in off)}"
    options = [disable, "--transform-async-generator-decorators=block"]
    command, cores = Path(session.bin, "flake8-async"), os.cpu_count() or 1
    files = [str(path) for path in _async_sources(folder)]
    parts = [part for first in range(cores) if (part := files[first::cores])]
    running = [subprocess.Popen([command, *options, *part]) for part in parts]
    statuses = [process.wait() for process in running]  # of all, so that each says what it found
    return any(statuses)


def _async_sources(folder: str) -> list[Path]:
    """Return the files that a rule could be about, by length, so that parts of them are alike."""
    files = sorted(Path(folder).rglob("*.py"), key=lambda path: path.stat().st_size)
    return [path for path in files if ABOUT_ASYNC.search(path.read_text())]


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the library, the examples and the type tests with two checkers."""
    _install(session, "test", "typing")
    session.run("mypy")
    session.run("pyright", "--pythonpath", _venv_python(session))
    # What users see of the library has types that each checker reads in the same way.
    session.run("pyright", "--verifytypes", "trio_otp", "--ignoreexternal")


def _venv_python(session: nox.Session) -> str:
    return session.run("python", "-c", "import sys; print(sys.executable)", silent=True).strip()


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demonstration that the README shows."""
    session.install("-q", "-e", ".")
    session.run("trio-otp", "demo")
