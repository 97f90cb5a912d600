"""Recording a run: which process is which instance, what each did, and the canonical trace."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Any

import trio_otp as otp

from .values import Codec, in_order

Entry = list[Any]
SUPERVISORS = ("supervisor", "dynamic_supervisor")
LOCAL = "local:"  # what local names start with, so that they cannot meet those of registries


class Recorder:
    """Names processes and writes down what happens, in order."""

    def __init__(self, defs: dict[str, Any]) -> None:
        self.defs = defs
        self.codec = Codec(self._known, self.name_of, self.is_inner)
        self.driver_log: list[Entry] = []
        self.procs: defaultdict[str, list[Entry]] = defaultdict(list)
        self.sups: defaultdict[str, list[Entry]] = defaultdict(list)
        self.apps: list[Entry] = []
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.pids: dict[str, otp.Pid[Any]] = {}  # {instance: pid}, oldest first
        self.latest: dict[str, str] = {}  # {definition: its last instance}
        self.parents: dict[str, str] = {}  # {instance: the supervisor's instance}
        self.failed: set[str] = set()  # instances whose init failed
        self.deaths: dict[str, object] = {}  # {instance: neutral reason}
        self.reasons: dict[otp.Pid[Any], object] = {}  # {pid: exit reason, of all the dead}
        self.starters: dict[str, object] = {}  # {instance: who started it}
        self._instances: dict[otp.Pid[Any], str] = {}

    # -- instances ---------------------------------------------------------------------------

    def _known(self, pid: otp.Pid[Any]) -> Any:
        """Return the instance of a pid; of one that is not born yet its pid, for `trace`."""
        return self._instances.get(pid, pid)

    def instance_of(self, pid: otp.Pid[Any]) -> str:
        """Return the instance of a pid."""
        return self._instances.get(pid, "raw:pid")

    def name_of(self, name: Any) -> Any:
        """Return a local name as scenarios write it."""
        return name.removeprefix(LOCAL) if isinstance(name, str) else name

    def is_inner(self, pid: otp.Pid[Any] | None) -> bool:
        """Check whether the running process is linked to a process that OTP has inside another.

        Whoever has a key of a registry is linked to a part of it that is no instance.
        """
        instance = "" if pid is None else self.instance_of(pid)
        return self.kind_of(instance) == "registry" and self.starters[instance] is not otp.self()

    def kind_of(self, instance: str) -> str | None:
        """Return the kind of an instance's definition."""
        definition = self.defs.get(base_of(instance))
        return None if definition is None else definition["kind"]

    def bind(self, instance: str, pid: otp.Pid[Any]) -> None:
        """Say which process an instance is."""
        self._instances[pid] = instance
        self.pids[instance] = pid
        self.latest[base_of(instance)] = instance

    def born(self, name: str) -> str:
        """Count a new instance, which is the process that runs this."""
        self.counts[name] += 1
        instance = f"{name}#{self.counts[name]}"
        self.bind(instance, otp.self())
        self._note_parent(instance)
        return instance

    def _note_parent(self, instance: str) -> None:
        starter: Any = next(iter(otp.ancestors()), None)
        self.starters[instance] = starter
        pid = starter if isinstance(starter, otp.Pid | None) else otp.whereis(starter)
        parent = "" if pid is None else self.instance_of(pid)
        if self.kind_of(parent) in SUPERVISORS:
            self.parents[instance] = parent
            self.sups[parent].append(["start", instance])

    def init_failed(self, instance: str, what: Any) -> None:
        """Note why an instance did not start."""
        self.failed.add(instance)
        if instance in self.parents:
            self.sups[self.parents[instance]].append(["fail", instance, what])

    # -- events ------------------------------------------------------------------------------

    def log(self, instance: str, entry: Entry) -> None:
        """Write down what an instance did."""
        self.procs[instance].append(entry)

    def died(self, pid: otp.Pid[Any], reason: object) -> None:
        """Write down the end of a process; the listener of the event `process_exit`."""
        self.reasons[pid] = reason
        instance = self._instances.get(pid)
        if instance is None or instance == "driver":
            return
        neutral = self.deaths[instance] = self.codec.encode(reason)
        self.log(instance, ["exit", neutral])
        parent = self.parents.get(instance)
        if parent is not None and instance not in self.failed and parent not in self.deaths:
            self.sups[parent].append(["exit", instance, neutral])
        if base_of(instance) in self.tops():
            self.apps.append(["top_exit", instance, neutral])

    def tops(self) -> set[str]:
        """Name the supervisors of applications."""
        return {d["top"] for d in self.defs.values() if d["kind"] == "app" and "top" in d}

    # -- the trace ---------------------------------------------------------------------------

    def trace(self, scenario: dict[str, Any]) -> dict[str, Any]:
        """Return the trace as it is now, in its canonical form."""
        trace: dict[str, Any] = {
            "scenario": scenario["name"],
            "area": scenario["area"],
            "driver": list(self.driver_log),
            "procs": {who: list(log) for who, log in self.procs.items()},
            "alive": sorted(set(self.pids) - set(self.deaths) - {"driver"}),
        }
        sups = {who: self._tidy(who, log) for who, log in self.sups.items()}
        trace |= {"sups": sups} if sups else {}
        trace |= {"apps": list(self.apps)} if self.apps else {}
        return Codec(self.instance_of, self.name_of, self.is_inner).encode(trace)  # type: ignore[no-any-return]

    def _tidy(self, supervisor: str, log: list[Entry]) -> list[Entry]:
        log = _fold_failed(log)
        if self.deaths.get(supervisor) == "killed":
            log = _without_last_exits(log)
        return _exits_sorted(log) if self.kind_of(supervisor) == "dynamic_supervisor" else log


def base_of(instance: str) -> str:
    """Return the definition's name of an instance."""
    return instance.partition("#")[0]


def generation_of(instance: str) -> int:
    """Return the number of an instance."""
    return int(instance.rpartition("#")[2])


def _fold_failed(log: list[Entry]) -> list[Entry]:
    """Put the `fail` of a supervisor that failed to start because of a child after its `start`."""
    failed = {entry[1]: entry[2] for entry in log if _is_failed_start(entry)}
    folded: list[Entry] = []
    for entry in log:
        if entry[0] == "exit" and entry[1] in failed:
            continue
        folded.append(entry)
        if entry[0] == "start" and entry[1] in failed:
            folded.append(["fail", entry[1], failed[entry[1]]])
    return folded


def _is_failed_start(entry: Entry) -> bool:
    match entry:
        case ["exit", _, {"shutdown": {"failed_to_start_child": _}}]:
            return True
        case _:
            return False


def _without_last_exits(log: list[Entry]) -> list[Entry]:
    while log and log[-1][0] == "exit":
        log = log[:-1]
    return log


def _exits_sorted(log: list[Entry]) -> list[Entry]:
    runs = groupby(log, key=lambda entry: entry[0] == "exit")
    return [entry for exits, run in runs for entry in (in_order(run) if exits else run)]
