"""OPEN: once the window has closed, who takes part, the seed and the prompts are read, drawn and published together."""

from collections.abc import Mapping

from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.prompts import parse_prompts, prompts_bytes, select_prompts, usable
from gen404_assets.competition.round import POOL, Round, round_path
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import crown
from gen404_assets.live.work import Work, state_file, time_at


def open_round(work: Work) -> Mapping[str, str]:
    """Publish submissions, seed and prompts; returns the hotkeys that have no valid submission, with the reason.

    Without any submission the leader has won, and the round goes straight to FINALIZING (`rules.md`, OPEN).
    """
    due, current = work.due()
    if due.stage is not Stage.OPEN or not due.work:
        return {}
    chain = work.outside.chain
    schedule = current.need(current.path("schedule.json"), current.schedule)
    latest = chain.block(schedule.latest_reveal_block)
    revealed = chain.reveals(at=latest.number)
    refused: dict[str, str] = {}

    def derive(now: Round) -> Mapping[str, bytes | None]:
        if now.schedule != schedule:
            return {}  # a person moved the window meanwhile: what is due is asked anew
        name = now.config.round_name(now.number)
        reading = read_submissions(revealed, schedule, name)
        refused.update(reading.refused)
        seed = now.seed or draw_seed(latest.number, latest.hash, name)
        submissions = now.submissions if now.submissions is not None else reading.submissions
        made = {
            now.path("submissions.json"): submissions.to_bytes(),
            now.path("seed.json"): seed.to_bytes(),
            now.path("prompts.txt"): prompts_bytes(_prompts(work, now, seed.seed)),
        }
        if not len(submissions):
            leader = now.need("leader.json", now.defending)
            made[now.path("winner.json")] = crown(LEADER, None, leader).to_bytes()
        # What a person has entered before the window closed stands; to have it drawn anew, they delete it.
        files = {path: content for path, content in made.items() if now.files.read(path) is None}
        if not len(submissions):
            return files | state_file(now, Stage.FINALIZING, work.rules)
        eta = time_at(latest, schedule.generation_deadline_block)
        return files | state_file(now, Stage.MINER_GENERATION, work.rules, eta)

    work.publish([f"Seed, prompts and submissions for round {work.number}"], {Stage.OPEN}, derive)
    for hotkey, reason in refused.items():
        work.say(f"{hotkey} takes no part: {reason}")
    return refused


def _prompts(work: Work, current: Round, seed: int) -> list[str]:
    pool = current.files.read(POOL)
    lines, skipped = usable(parse_prompts(pool or b"", POOL))
    for url, reason in skipped:
        work.say(f"the pool's {url} can't be used: {reason}")
    previous = None
    if current.number:
        path = round_path(current.number - 1, "prompts.txt")
        previous = parse_prompts(current.files.read(path) or b"", path)
    return select_prompts(seed, lines, previous, current.config, work.rules)
