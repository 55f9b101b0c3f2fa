"""`python -m chaos`: cause failures on a stack of its own, and show that each was noticed and nothing was lost."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import click
import orjson

from chaos.actions.resources import CpuStress
from chaos.answer_tables import as_tables
from chaos.examination import examiner, pairs
from chaos.runner import ChaosRunner
from chaos.scenario import Scenario
from chaos.scenarios import SCENARIOS
from chaos.scenarios.unforeseen import UNFORESEEN
from chaos.testbed import LiveTestbed
from chaos.verdict import ScenarioOutcome, as_table
from edgeinfer.errors import EdgeInferError
from edgeinfer.loadgen.sample_source import SampleSource
from edgeinfer.recordings.reader import load_recording
from edgeinfer.stack.own_stack import quiet, settings_on_free_ports
from edgeinfer.stack.ports import PortPool

_FAKE_CHIP = shlex.join([sys.executable, "-m", "tests.fakes.chip_service"])
_RECORDINGS = ("walking-upper-leg", "walking-lower-leg")
# A minute of the rules becomes a second.
_SHORT_FACTOR = 60.0


def create() -> click.Command:
    """The command."""

    @click.command("chaos")
    @click.argument("names", nargs=-1, metavar="[SCENARIO]...")
    @click.option("--list", "show_list", is_flag=True, help="List the scenarios and end.")
    @click.option("--full", is_flag=True, help="Take the real rules, not those with their times divided by 60.")
    @click.option("--quick", is_flag=True, help="Leave out what takes long also with shortened rules.")
    @click.option(
        "--chip",
        metavar="PROGRAM",
        default=_FAKE_CHIP,
        help="Runs our commands with a fake chip; empty leaves out what needs a chip. The tests' fake by default.",
    )
    @click.option(
        "--libfaketime",
        type=click.Path(exists=True, dir_okay=False),
        help="libfaketime.so.1, which sets the clock of our services off; without it, clock jumps are not tried.",
    )
    @click.option("--parallel", type=click.IntRange(1, 8), default=1, show_default=True, help="Stacks side by side.")
    @click.option("--keep", type=click.Path(path_type=Path), help="Folder in which logs and measurements are kept.")
    @click.option("--examine", is_flag=True, help="Ask diagnose at each alert and after it, and grade its answers.")
    @click.option("--pairs", "in_pairs", is_flag=True, help="Play two failures at once; implies --examine.")
    @click.option("--unforeseen", is_flag=True, help="Play faults that no cause was written for; implies --examine.")
    @click.option("--busy", is_flag=True, help="Keep every core busy while a failure lasts.")
    @click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
    def chaos(  # noqa: PLR0913 - click passes each option
        *,
        names: tuple[str, ...],
        show_list: bool,
        full: bool,
        quick: bool,
        chip: str,
        libfaketime: str | None,
        parallel: int,
        keep: Path | None,
        examine: bool,
        in_pairs: bool,
        unforeseen: bool,
        busy: bool,
        as_json: bool,
    ) -> None:
        """Break a stack of its own in every way that is known, and show what was noticed and what was lost.

        Starts gateway, sidecar, Prometheus, Alertmanager and a webhook receiver on free ports; nothing else on the
        machine is touched.
        With times divided by 60 the whole matrix takes minutes; with --full it takes hours.
        Exits with 0 when every scenario passed, else with 1.
        """
        has_chip, has_clock = show_list or bool(chip), show_list or bool(libfaketime)
        examine = examine or in_pairs or unforeseen
        known = pairs() if in_pairs else UNFORESEEN if unforeseen else SCENARIOS
        scenarios = _chosen(known, names, has_chip=has_chip, has_clock=has_clock, quick=quick and not in_pairs)
        if busy:
            scenarios = [replace(scenario, actions=(CpuStress(), *scenario.actions)) for scenario in scenarios]
        if show_list:
            _print_list(scenarios)
            return
        with TemporaryDirectory(prefix="edgeinfer-chaos-") as scratch:
            factor = 1.0 if full else _SHORT_FACTOR
            folder, words = keep or Path(scratch), shlex.split(chip)
            plan = _Plan(folder, factor, parallel, words, libfaketime or "", PortPool(), examine, quick)
            outcomes = asyncio.run(_run(scenarios, plan))
        if as_json:
            document = [outcome.as_document() for outcome in outcomes]
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            click.echo(as_table(outcomes))
            if examine:
                click.echo("\n" + as_tables({one.scenario.name: one.answers for one in outcomes}))
        sys.exit(0 if all(outcome.passed for outcome in outcomes) else 1)

    return chaos


def main() -> None:
    """Run the command; an error of ours is one line, without a traceback."""
    try:
        create()(prog_name="python -m chaos")
    except EdgeInferError as failure:
        click.secho(f"error: {failure}", err=True, fg="red")
        sys.exit(1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the scenarios are played."""

    folder: Path
    factor: float
    parallel: int
    chip: Sequence[str]
    clock: str
    ports: PortPool
    is_examined: bool
    is_quick: bool


async def _run(scenarios: Sequence[Scenario], plan: _Plan) -> list[ScenarioOutcome]:
    """Deal the scenarios to stacks; outcomes come in the order of the scenarios."""
    alone = [scenario for scenario in scenarios if scenario.needs_machine]
    shared = [scenario for scenario in scenarios if not scenario.needs_machine]
    plain = [one for one in shared if not (one.needs_chip or one.needs_clock or one.needs_store)]
    # The share of the chip is the longest: begun first, it ends with the others.
    shares = [
        [scenario for scenario in shared if scenario.needs_chip],
        [scenario for scenario in shared if scenario.needs_clock],
        [scenario for scenario in shared if scenario.needs_store],
        *(plain[number :: plan.parallel] for number in range(plan.parallel)),
    ]
    running = asyncio.Semaphore(plan.parallel)
    played = await asyncio.gather(
        *(_run_share(share, plan, number, running) for number, share in enumerate(shares, start=1) if share)
    )
    if alone:
        played.append(await _run_share(alone, plan, len(shares) + 1, running))
    outcomes = {outcome.scenario.name: outcome for share in played for outcome in share}
    return [outcomes[scenario.name] for scenario in scenarios]


async def _run_share(
    scenarios: Sequence[Scenario], plan: _Plan, number: int, running: asyncio.Semaphore
) -> list[ScenarioOutcome]:
    feeds = [SampleSource(load_recording(name), loop=True) for name in _RECORDINGS]
    own_testbed = LiveTestbed(
        plan.folder / f"stack-{number}",
        settings_on_free_ports(plan.ports),
        factor=plan.factor,
        report=quiet,
        chip=plan.chip if scenarios[0].needs_chip else (),
        clock=plan.clock if scenarios[0].needs_clock else "",
        has_short_blocks=scenarios[0].needs_store,
    )
    outcomes = []
    async with running, own_testbed as testbed, examiner(testbed.stack, plan.factor, is_quick=plan.is_quick) as asking:
        runner = ChaosRunner(testbed, feeds, factor=plan.factor, examiner=asking if plan.is_examined else None)
        for scenario in scenarios:
            began = monotonic()
            outcome = await runner.run(scenario)
            said = "; ".join(outcome.violations) or "ok"
            click.echo(f"{scenario.name}: {said} ({monotonic() - began:.0f} s)", err=True)
            for question, answer in outcome.answers.items():
                named = ", ".join(name for name, _ in answer.named) or "nothing"
                click.echo(f"  {question}: {answer.grade}: {named}", err=True)
            outcomes.append(outcome)
    return outcomes


def _chosen(
    scenarios: Sequence[Scenario], names: tuple[str, ...], *, has_chip: bool, has_clock: bool, quick: bool
) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in scenarios}
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no scenario {name}; see --list", param_hint="SCENARIO")
        if known[name].needs_chip and not has_chip:
            raise click.BadParameter(f"{name} needs a fake chip; give --chip", param_hint="SCENARIO")
        if known[name].needs_clock and not has_clock:
            raise click.BadParameter(f"{name} needs a clock to set off; give --libfaketime", param_hint="SCENARIO")
    if names:
        return [known[name] for name in names]
    chosen = [scenario for scenario in scenarios if not (quick and scenario.is_slow)]
    return [
        scenario
        for scenario in chosen
        if (has_chip or not scenario.needs_chip) and (has_clock or not scenario.needs_clock)
    ]


def _print_list(scenarios: Sequence[Scenario]) -> None:
    width = max(len(scenario.name) for scenario in scenarios)
    for scenario in scenarios:
        click.echo(f"{scenario.name:{width}}  {scenario.does} Alert: {scenario.alert or 'none'}.")


if __name__ == "__main__":
    main()
