"""Applications that include others, and applications that others can do without."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from inside import present

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

notes: list[Any] = []


@pytest.fixture(autouse=True)
def empty_notes() -> None:
    """Return an empty list, a new one for each test."""
    notes.clear()


class Noting(otp.Application):
    """Notes its callbacks."""

    def start(self) -> Any:
        notes.append(("start", self.name, dict(self.environment)))
        return otp.child(otp.Supervisor, []).having(name=f"{self.name} top", id=self.name)

    def start_phase(self, phase: str) -> None:
        notes.append((phase, self.name))

    def prep_stop(self) -> None:
        notes.append(("prep_stop", self.name))

    def stop(self) -> None:
        notes.append(("stop", self.name))


class Cellar(Noting):
    start_phases = ("fill", "light")


class Kitchen(Noting):
    start_phases = ("light", "cook")
    included_applications = (Cellar,)
    environment = {"stoves": 2}  # noqa: RUF012


class House(Noting):
    start_phases = ("fill", "light", "open")
    included_applications = (Kitchen,)

    def start(self) -> Any:
        super().start()
        return otp.Supervisor.spec([self.included(each).start() for each in (Kitchen, Cellar)])


# -- included --------------------------------------------------------------------------------------


async def test_an_included_application_is_loaded_and_not_started() -> None:
    """Its processes are in the tree of the one that includes it, its settings are there (AP-11)."""
    async with otp.open_application(House, config={"kitchen": {"stoves": 3}}) as house:
        assert ["house"] == otp.application.which_applications()
        assert ["house", "kitchen", "cellar"] == otp.application.loaded_applications()
        assert 3 == otp.application.get_env("kitchen", "stoves")
        children = [info.id for info in await otp.which_children(house)]
        assert ["kitchen", "cellar"] == children

    assert [("start", "house", {}), ("start", "kitchen", {"stoves": 3})] == notes[:2]


async def test_each_phase_runs_for_all_that_have_it() -> None:
    """Phases are those of the including one, in its order; per phase it comes first (AP-10, 11)."""
    async with otp.open_application(House):
        phases = notes[3:]

    assert [
        ("fill", "house"),
        ("fill", "cellar"),
        ("light", "house"),
        ("light", "kitchen"),
        ("light", "cellar"),
        ("open", "house"),
    ] == phases


async def test_an_included_application_is_not_stopped_by_itself() -> None:
    """Only the callbacks of the one that includes it run at the end, as in OTP."""
    async with otp.open_application(House):
        notes.clear()

    assert [("prep_stop", "house"), ("stop", "house")] == notes


async def test_an_included_application_may_also_run_by_itself() -> None:
    """Started like any other it runs its own phases."""
    async with otp.open_application(Cellar, type="temporary"):
        pass

    assert ["start", "fill", "light", "prep_stop", "stop"] == [note[0] for note in notes]


async def test_a_failing_phase_of_an_included_one_takes_the_start_back() -> None:
    """Nothing is left running."""

    class Damp(Cellar):
        def start_phase(self, phase: str) -> None:
            raise otp.StartError("damp")

    class Villa(House):
        included_applications = (Damp,)

        def start(self) -> Any:
            return otp.Supervisor.spec([self.included(Damp).start()])

    with pytest.raises(otp.ApplicationStartError, match="damp"):
        async with otp.open_application(Villa):
            pass
    async with otp.open_process() as me:
        assert [me] == otp.processes()


async def test_only_what_is_included_can_be_had() -> None:
    """The error names what is included."""

    class Wrong(Noting):
        included_applications = (Cellar,)

        def start(self) -> Any:
            return self.included(House).start()

    with pytest.raises(otp.ApplicationStartError) as caught:
        async with otp.open_application(Wrong):
            pass
    assert "Wrong.included(House): expected one of its included_applications: Cellar" in str(
        caught.value.__cause__
    )


async def test_nothing_includes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle is an error, not an endless start."""
    monkeypatch.setattr(Cellar, "included_applications", (House,))
    with pytest.raises(otp.SpecError, match="'house' includes itself"):
        async with otp.open_application(House):
            pass


# -- optional --------------------------------------------------------------------------------------


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with an application that another one can do without."""
    (tmp_path / "plugin_there.py").write_text(
        "import trio_otp as otp\nclass Metrics(otp.Application): ...\nsize = 5\n"
    )
    (tmp_path / "plugin_broken.py").write_text("import module_that_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("plugin_there", "plugin_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("plugin")
async def test_an_optional_application_is_started_if_it_is_there() -> None:
    """It starts first, like a dependency; one whose module is missing is passed over (AP-12)."""

    class Shop(Noting):
        optional_applications = ("plugin_there:Metrics", "plugin_missing.sub:App", Cellar)

    async with otp.open_application(Shop):
        assert ["metrics", "cellar", "shop"] == otp.application.which_applications()


async def test_start_does_not_ask_for_optional_ones() -> None:
    """`start` needs the dependencies only, as OTP's does."""

    class Shop(Noting):
        optional_applications = (Cellar,)

    async with otp.open_application(Kitchen):
        await otp.application.start(Shop)
        assert ["kitchen", "shop"] == otp.application.which_applications()
        await otp.application.stop(Shop)
        assert ["cellar", "shop"] == await otp.application.ensure_all_started(Shop)


async def test_an_optional_one_that_is_there_may_not_fail() -> None:
    """Then the start fails, and what was started is stopped."""

    class Broken(Noting):
        def start(self) -> Any:
            raise LookupError("broken")

    class Shop(Noting):
        optional_applications = (Cellar, Broken)

    async with otp.open_application(Kitchen):
        with pytest.raises(otp.ApplicationStartError, match="'broken'"):
            await otp.application.ensure_all_started(Shop)
        assert ["kitchen"] == otp.application.which_applications()


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("plugin_there:Metric", otp.SpecError, "'plugin_there:Metric': .* no attribute 'Metric'"),
        ("plugin_there:size", otp.SpecError, "5 is not a subclass of otp.Application"),
        ("plugin_broken:App", ModuleNotFoundError, "module_that_it_needs"),
    ],
)
def test_what_is_there_and_wrong_is_an_error(where: str, error: type[Exception], said: str) -> None:
    """Only a missing module means that the application is not there."""
    with pytest.raises(error, match=said):
        present(where)


def test_the_new_attributes_are_checked() -> None:
    """A wrong value is refused where the class is written."""
    accepted = r'expected a tuple of applications and str like "module:App"'
    with pytest.raises(otp.SpecError, match=rf"optional_applications=\('metrics',\): {accepted}"):
        type("App", (otp.Application,), {"optional_applications": ("metrics",)})
    with pytest.raises(otp.SpecError, match="included_applications=5: expected a tuple"):
        type("App", (otp.Application,), {"included_applications": 5})


async def test_one_that_two_include_is_included_once() -> None:
    """There is one instance of it, whichever application includes it."""
    got: list[otp.Application] = []

    class Attic(Noting):
        included_applications = (Cellar,)

    class Palace(Noting):
        included_applications = (Kitchen, Attic)

        def start(self) -> Any:
            got.extend(self.included(each) for each in (Kitchen, Cellar, Attic, Cellar))
            return super().start()

    async with otp.open_application(Palace):
        kitchen, cellar, attic, again = got
        assert cellar is again
        assert [Kitchen, Cellar, Attic] == [type(each) for each in (kitchen, cellar, attic)]
