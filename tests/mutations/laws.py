"""What is broken on purpose, law by law, and which test has to notice.

The laws are those of the design: nothing is orphaned; nobody hangs on the dead; clients cannot
hurt a server; shutdown is ordered; what is not ours passes through; every await is a checkpoint
and time is Trio's; isolation by run; nothing is silent. To these comes the restart policy.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """One change of the source, and the test that it breaks."""

    name: str
    law: int  # 0 for the restart policy
    module: str
    old: str  # must be there exactly once
    new: str
    test: str  # file::name under tests/


MUTATIONS = [
    # 1. Nothing is orphaned.
    Mutation(
        "links of the dead stay silent",
        1,
        "epilogue",
        "        peer.signal(process.pid, reason, linked=True)\n",
        "        pass\n",
        "test_open_supervisor.py::test_a_supervisor_that_is_killed_takes_its_children_along",
    ),
    Mutation(
        "a cancelled start goes on",
        1,
        "launch",
        "                process.condemn(SHUTDOWN, orderly=True)\n",
        "                return process\n",
        "test_supervisor_start.py::test_a_start_that_is_cancelled_leaves_nothing",
    ),
    Mutation(
        "an init that takes too long goes on",
        1,
        "launch",
        "        self.process.condemn(KILLED)\n",
        "        self.failed(self.process, TIMEOUT)\n",
        "test_peer_faults_supervision.py"
        "::test_fault_18_an_init_that_never_returns_is_ended_by_its_time_out",
    ),
    Mutation(
        "a process that is killed while it falls asleep sleeps on",
        1,
        "hibernation",
        "    if process.doom is not UNSET:\n        asleep.wake()\n",
        "",
        "test_hibernation.py::test_a_signal_that_comes_while_it_falls_asleep_ends_it",
    ),
    Mutation(
        "the input of a stream stays open",
        1,
        "task_stream_loop",
        "            close()\n",
        "            pass\n",
        "test_task_stream_input.py::test_a_generator_that_is_passed_is_closed_as_well",
    ),
    # 2. Nobody hangs on the dead.
    Mutation(
        "who is told to die in his sleep sleeps on",
        2,
        "hibernation",
        "        if process.mailbox is self:\n",
        "        if process.mailbox is self and process.doom is UNSET:\n",
        "test_hibernation_ends.py::test_a_deferred_call_is_answered_by_its_death",
    ),
    Mutation(
        "what comes while a server falls asleep is lost",
        8,
        "hibernation",
        "    for message in mailbox.queue:\n        asleep.put(message)\n",
        "",
        "test_hibernation.py::test_what_comes_while_it_falls_asleep_wakes_it",
    ),
    Mutation(
        "sleep forgets whose tokens there are",
        7,
        "hibernation",
        "        current_task().context = context\n",
        "",
        "test_hibernation.py::test_context_variables_and_their_tokens",
    ),
    Mutation(
        "sleep leaves a nursery open",
        1,
        "hibernation",
        " and not task.child_nurseries\n",
        "\n",
        "test_hibernation.py::test_an_open_nursery_keeps_it_awake",
    ),
    Mutation(
        "who sleeps is shut down without terminate",
        4,
        "process",
        "                if self.doom is UNSET or (self.orderly and self.instance is not None):\n",
        "                if self.doom is UNSET:\n",
        "test_hibernation_ends.py::test_a_cancelled_nursery_stops_it_in_order",
    ),
    Mutation(
        "busy servers fall asleep",
        6,
        "hibernation",
        "        if self._handled != self._process.handled:\n",
        "        if self._handled < 0:\n",
        "test_hibernation.py::test_it_sleeps_when_it_has_been_idle_for_so_long",
    ),
    Mutation(
        "calls of the dead are not answered",
        2,
        "epilogue",
        "        request.server_died(reason)\n",
        "        del request\n",
        "test_law2_under_fire.py::test_fault_02_a_server_that_ends_itself_answers_all_100",
    ),
    Mutation(
        "the first call of the dead is forgotten",
        2,
        "epilogue",
        "    for request in list(process.requests):\n",
        "    for request in list(process.requests)[1:]:\n",
        "test_law2_under_fire.py::test_fault_01_a_server_that_is_ended_answers_all_100",
    ),
    Mutation(
        "a helper that dies leaves its caller waiting",
        2,
        "gen_server",
        "    helper.watchers[died] = None\n",
        "",
        "test_gen_server_replies.py::test_a_helper_that_ends_without_an_answer_answers",
    ),
    Mutation(
        "who awaits a task does not hear of its end",
        2,
        "task_handle",
        "by the `Down` that has gone out\n        self._wake()\n",
        "by the `Down` that has gone out\n",
        "test_task.py::test_a_task_that_ends_without_a_result",
    ),
    Mutation(
        "who waits for a lock does not hear of the end of the registry",
        2,
        "registry_lock",
        "                reschedule(task, outcome.Error(ServerExited(ref, reason)))\n",
        "                reschedule(task)\n",
        "test_registry_lock.py::test_nobody_waits_for_a_registry_that_ended",
    ),
    Mutation(
        "a suspended server ends for another reason than it was told",
        2,
        "system",
        "            host.end(message.reason)\n\n\nasync def _answer",
        "            host.end(None)\n\n\nasync def _answer",
        "test_sys.py::test_however_a_suspended_server_ends_its_callers_are_told",
    ),
    # 3. Clients cannot hurt a server.
    Mutation(
        "references are resolved in the supervisor",
        3,
        "management",
        '    if issubclass(_need_supervisor(sup, "terminate_child"), DynamicSupervisor):\n',
        "    if not sup:\n",
        "test_dynamic_supervisor.py::test_what_is_no_reference_is_refused_in_the_caller",
    ),
    Mutation(
        "a reply may come twice",
        3,
        "request",
        "            return False\n        self._leave()\n"
        "        if self.task is not None:\n            self._value",
        "            pass\n        self._leave()\n"
        "        if self.task is not None:\n            self._value",
        "test_gen_server_replies.py::test_fault_10_a_from_is_used_once",
    ),
    Mutation(
        "methods are sent to servers of any class",
        3,
        "client_methods",
        "        if actual is None or not issubclass(actual, self.owner):\n",
        "        if actual is None:\n",
        "test_client.py::test_a_server_of_another_class_refuses_in_the_caller",
    ),
    Mutation(
        "the error of a caller's function ends the server",
        3,
        "system",
        "    except Exception as exc:\n        result = outcome.Error(exc)\n",
        "    except TimeoutError as exc:\n        result = outcome.Error(exc)\n",
        "test_sys.py::test_a_function_that_raises_fails_in_the_caller_alone",
    ),
    # 4. Shutdown is ordered.
    Mutation(
        "children are stopped oldest first",
        4,
        "restart",
        "[e.id for e in reversed(self.table.values()) if e.state is State.RUNNING]",
        "[e.id for e in self.table.values() if e.state is State.RUNNING]",
        "test_shutdown_order.py::test_children_are_stopped_newest_first",
    ),
    Mutation(
        "the stop of a supervisor is not shielded",
        4,
        "supervision",
        "                with trio.CancelScope(shield=True) as process.reprieve:\n",
        "                with trio.CancelScope() as process.reprieve:\n",
        "test_shutdown_order.py::test_a_deadline_outside_stops_the_tree_in_order",
    ),
    Mutation(
        "a server that waits without a scope is cancelled with its nursery",
        4,
        "mailbox",
        "    return Abort.FAILED\n",
        "    return Abort.SUCCEEDED\n",
        "test_shelter.py::test_a_server_in_a_cancelled_nursery_serves_until_it_is_stopped",
    ),
    Mutation(
        "a server that waits without a scope hears no signal",
        4,
        "process",
        "            self.mailbox.wake()\n",
        "            pass\n",
        "test_shelter.py::test_an_exit_signal_ends_it_without_terminate",
    ),
    Mutation(
        "a supervisor does two things at a time",
        4,
        "direct_start",
        "loop.under_way is not None or not loop.idle",
        "not loop.idle",
        "test_direct_start.py::test_one_thing_at_a_time",
    ),
    Mutation(
        "what is in a nursery is stopped oldest first",
        4,
        "home",
        "                for process in reversed(list(self.processes)):\n",
        "                for process in list(self.processes):\n",
        "test_shutdown_order.py"
        "::test_a_cancelled_nursery_stops_what_was_started_in_it_newest_first",
    ),
    Mutation(
        "limits are not kept",
        4,
        "home",
        "        with trio.move_on_after(math.inf if limit is None else limit):\n",
        "        with trio.move_on_after(math.inf):\n",
        "test_shutdown_order.py::test_a_child_that_takes_too_long_is_killed_at_its_limit",
    ),
    Mutation(
        "a condemned state machine takes one more message",
        4,
        "statem_loop",
        "                if queue and self._budget > 0 and process.doom is UNSET:\n",
        "                if queue and self._budget > 0:\n",
        "test_gen_statem_path.py::test_a_signal_goes_before_a_message_that_is_handed_over",
    ),
    # 5. What is not ours passes through.
    Mutation(
        "Ctrl-C is a crash like any other",
        5,
        "exits",
        "            return not isinstance(exc, Exception | ProcessExit)\n",
        "            return isinstance(exc, SystemExit)\n",
        "test_peer_faults_supervision.py::test_fault_27_what_is_not_ours_is_never_restarted",
    ),
    Mutation(
        "groups of one stay groups",
        5,
        "exits",
        "                exc = only\n",
        "                return exc\n",
        "test_function_children.py::test_a_crash_in_a_nursery_of_the_function_is_told_bare",
    ),
    # 6. Every await is a checkpoint; time is only Trio's.
    Mutation(
        "a call that knows its answer is no checkpoint",
        6,
        "management",
        "    await trio.lowlevel.checkpoint()\n    return process.pid\n",
        "    return process.pid\n",
        "test_supervisor_management.py::test_every_management_call_is_a_checkpoint",
    ),
    Mutation(
        "the intensity looks at the clock on the wall",
        6,
        "static_loop",
        "self.policy.exited(child_id, reason, trio.current_time())",
        "self.policy.exited(child_id, reason, __import__('time').monotonic())",
        "test_supervisor.py::test_restarts_are_forgotten_after_the_window",
    ),
    Mutation(
        "the timer service is never parked",
        6,
        "timers",
        "        return min(heads, default=math.inf)\n",
        "        return min(heads, default=trio.current_time() + 1)\n",
        "test_send_after.py::test_the_service_is_parked_while_nothing_is_pending",
    ),
    Mutation(
        "a state machine handles a flood in one go",
        6,
        "statem_loop",
        "                    self._budget -= 1\n                    message = queue.popleft()\n",
        "                    message = queue.popleft()\n",
        "test_gen_statem_path.py::test_a_flood_lets_others_run",
    ),
    # 7. Isolation by run.
    Mutation(
        "a state machine answers into another run",
        7,
        "statem_loop",
        "value.__class__ in OUTCOMES or not here or not from_.answer(value)",
        "value.__class__ in OUTCOMES or not from_.answer(value)",
        "test_gen_statem_path.py::test_an_answer_to_a_caller_of_another_run_is_dropped",
    ),
    Mutation(
        "all runs share their tables",
        7,
        "runtime",
        '_runtime: trio.lowlevel.RunVar[Runtime] = trio.lowlevel.RunVar("trio_otp")\n',
        "_all: Any = []\n_runtime: Any = type('', (), {'get': lambda _: _all[0]})()\n"
        "type(_runtime).set = lambda _, made: _all.append(made)\n",
        "test_isolation.py::test_two_runs_after_each_other_share_nothing",
    ),
    # 8. Nothing is silent.
    Mutation(
        "a child that does not die is not named",
        8,
        "process",
        "            Killed(self)\n",
        "            pass\n",
        "test_stuck_child.py::test_a_stuck_child_is_named_with_its_stack_and_waited_for",
    ),
    Mutation(
        "ends of children are not told",
        8,
        "static_loop",
        'self.report("child_terminated", self.slots[action.id], action.reason, pid)',
        "pass",
        "test_supervisor.py::test_what_the_reports_say_of_a_supervisor_that_gives_up",
    ),
    Mutation(
        "crashes of servers are not told",
        8,
        "server_loop",
        '        process.runtime.events.emit("crash", report)\n',
        "        del report\n",
        "test_reports.py::test_a_crash_is_one_record",
    ),
    Mutation(
        "crashes of event handlers are not told",
        8,
        "event_manager",
        "        await self._crash(entry, reason)\n        raise HandlerCrashed",
        "        raise HandlerCrashed",
        "test_gen_event_calls.py::test_a_typed_call_that_fails_is_no_answer",
    ),
    # The restart policy: its own test notices, and so do random trees beside their model.
    Mutation(
        "one restart too few",
        0,
        "restart",
        "        return len(self._times) <= self.limit\n",
        "        return len(self._times) < self.limit\n",
        "test_restart_policy.py::test_the_window_counts_whole_seconds",
    ),
    Mutation(
        "temporary children come back with their group",
        0,
        "restart",
        '(StartChild(e.id) for e in group if e.restart != "temporary")',
        "(StartChild(e.id) for e in group)",
        "test_restart_policy.py::test_every_end_of_a_child_is_answered_by_the_rules",
    ),
    Mutation(
        "rest_for_one leaves the youngest alone",
        0,
        "restart",
        "entries[entries.index(entry) :]",
        "entries[entries.index(entry) : max(len(entries) - 1, entries.index(entry) + 1)]",
        "test_restart_policy.py::test_every_end_of_a_child_is_answered_by_the_rules",
    ),
    Mutation(
        "a failed restart is tried once",
        0,
        "static_loop",
        "                    self.process.mailbox.put(RetryLater(action.id, action.reason))\n",
        "                    self.policy.stopped(action.id)\n",
        "test_supervisor.py::test_a_restart_that_succeeds_in_the_end_is_all_right",
    ),
    # The testing kit holds the programs of its users to the same laws.
    Mutation(
        "a test may leave a process behind",
        1,
        "testing/leaks",
        "    return [each for each in everybody if each.home in homes and each not in owned]\n",
        "    return [each for each in everybody if each.dead and each.home in homes and owned]\n",
        "test_kit_leaks.py::test_a_process_that_is_left",
    ),
    Mutation(
        "a test need not await its tasks",
        1,
        "testing/system",
        "            self._tasks += tasks_of(process)\n",
        "            self._tasks += []\n",
        "test_kit_leaks.py::test_a_task_that_is_left",
    ),
    Mutation(
        "what a test runs is stopped in any order",
        4,
        "testing/system",
        "            await nest_of(self._process).close()\n",
        "            for each in list(nest_of(self._process).processes):\n"
        "                each.condemn(each.runtime, orderly=True)\n"
        "                await each.wait_dead()\n",
        "test_kit_system.py::test_children_are_stopped_in_reverse",
    ),
    Mutation(
        "time is over before what is due has happened",
        6,
        "testing/virtual_time",
        "    await trio.sleep(seconds)\n    await trio.testing.wait_all_tasks_blocked()\n",
        "    await trio.sleep(seconds)\n",
        "test_kit_system.py::test_time_passes_at_once",
    ),
    Mutation(
        "an unexpected crash is forgiven",
        8,
        "testing/log",
        "        return injected or known or any(each is crash for each in self._expected)\n",
        "        return injected or known or bool(crash.name)\n",
        "test_kit_plugin.py::test_tests_that_crash",
    ),
    Mutation(
        "examples of hypothesis share their processes",
        7,
        "testing/fixtures",
        "        memo[value] = TrioFixture(value.name, value._func, needs)\n",
        "        memo[value] = value if needs is not None else None\n",
        "test_kit_plugin.py::test_hypothesis",
    ),
    Mutation(
        "who lost a reply in a storm waits on after it",
        2,
        "testing/storm",
        "        for from_ in self._lost:\n            _expire(from_)\n",
        "",
        "test_kit_chaos.py::test_the_end_of_a_storm_leaves_nobody_waiting",
    ),
    Mutation(
        "a state machine does not mind a caller that hangs",
        2,
        "testing/server_machine",
        '            assert pending.done, f"{who} waits for ever"\n',
        "            if not pending.done:\n                continue\n",
        "test_kit_machine.py::test_a_caller_that_does_not_learn_of_the_crash_is_a_failure",
    ),
    Mutation(
        "an order to end waits at the gates of a test",
        4,
        "server_loop",
        "debug.gates and not self._is_from_above(message)",
        "debug.gates",
        "test_kit_chaos.py::test_an_order_to_end_is_no_message_to_hit",
    ),
    Mutation(
        "the order of tasks stays fixed for the next run",
        7,
        "testing/orders",
        "        setattr(loop, _SWITCH, was)\n",
        "",
        "test_kit_orders.py::test_everything_is_as_before_after_the_block",
    ),
]
