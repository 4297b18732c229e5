"""What an operator does to a competition by hand, each a commit of a person's: begin, pause,
resume, a source audit.
"""

from collections.abc import Callable, Mapping

from gen404_assets.commands.refused import Refused
from gen404_assets.competition.audits import SourceAudit, SourceAudits, SourceVerdict
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.prompts import parse_prompts, usable
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE, Round
from gen404_assets.competition.schedule import next_start, schedule_at, start_block
from gen404_assets.competition.state import Stage, State, resume
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import see, time_at
from resources.chain.subtensor import Block
from resources.repository import Repository, Snapshot


def begin(repository: Repository, files: Mapping[str, bytes], block: Block) -> State:
    """Publish a new competition: `files` are its config.json, prompts.txt and leader.json; round 0
    opens.

    Raises MalformedFile for one that can't be used, Refused where a competition is already, or
    nobody would defend.
    """
    config = Config.parse(files[CONFIG], CONFIG)
    leaders = Leader.parse(files[LEADERS], LEADERS)
    prompts, _ = usable(parse_prompts(files[POOL], POOL))
    if len(prompts) < config.prompts_per_round:
        raise MalformedFile(
            POOL, 1, f"{len(prompts)} usable prompts are fewer than prompts_per_round"
        )
    start = next_start(config, None, block.time, block.number)
    schedule = schedule_at(config, None, start_block(start, block.time, block.number))
    if leaders.at(schedule.latest_reveal_block) is None:
        raise Refused(
            f"leader.json must name who leads at block {schedule.latest_reveal_block}, where "
            "round 0 starts"
        )
    eta = time_at(block, schedule.latest_reveal_block)
    state = State(current_round=0, stage=Stage.OPEN, next_stage_eta=eta)

    def first(head: Snapshot) -> Mapping[str, bytes | None]:
        if head.read(STATE) is not None:
            raise Refused("the repository holds a competition already")
        return {
            **files,
            STATE: state.to_bytes(),
            Asset.SCHEDULE.path(0): schedule.to_bytes(),
        }

    repository.publish(f"Begin the competition {config.name}", first, time=block.time)
    return state


def pause(outside: Outside, reason: str) -> State:
    """Hold the round; the stage it interrupts is remembered. Raises Refused."""

    def held(state: State) -> State:
        if state.stage in {Stage.PAUSED, Stage.FINISHED}:
            raise Refused(f"round {state.current_round} is {state.stage} already")
        return state.model_copy(
            update={"stage": Stage.PAUSED, "next_stage_eta": None, "interrupted_stage": state.stage}
        )

    return _change_state(outside, "Pause", reason, held)


def resume_round(outside: Outside, reason: str) -> State:
    """Go back to the stage that a pause interrupted. Raises Refused."""

    def resumed(state: State) -> State:
        try:
            return resume(state)
        except ValueError as error:
            raise Refused(f"round {state.current_round} is {state.stage}: {error}") from error

    return _change_state(outside, "Resume", reason, resumed)


def audit_source(outside: Outside, hotkey: str, verdict: SourceVerdict, reason: str) -> None:
    """Record a person's verdict on a miner's source code; a later one replaces it. Raises
    Refused.
    """

    def entered(head: Snapshot) -> Mapping[str, bytes | None]:
        current = see(head)
        if current.submissions is None or hotkey not in current.submissions:
            raise Refused(f"{hotkey} has no submission in round {current.number}")
        entry = SourceAudit(hotkey=hotkey, verdict=verdict, reason=reason)
        others = [audit for audit in current.source_audits.root if audit.hotkey != hotkey]
        path = Asset.SOURCE_AUDITS.path(current.number)
        return {path: SourceAudits([*others, entry]).to_bytes(current.files.read(path))}

    message = f"Source audit of {hotkey}: {verdict}\n\n{reason}".strip()
    outside.repository.publish(message, entered, time=outside.now())


def _change_state(
    outside: Outside, action: str, reason: str, change: Callable[[State], State]
) -> State:
    after: list[State] = []

    def changed(head: Snapshot) -> Mapping[str, bytes | None]:
        current: Round = see(head)
        after[:] = [change(current.required_state)]
        return {STATE: after[0].to_bytes(current.files.read(STATE))}

    outside.repository.publish(
        f"{action} the round\n\n{reason}".strip(), changed, time=outside.now()
    )
    return after[0]
