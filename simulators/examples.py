"""What the tests of the rules share: a miner's name, a config, an output, and one valid text of
each file format.
"""

import json
from typing import Any

from hypothesis import strategies as st

from gen404_assets.competition.audits import AuditRequests, GenerationAudits, SourceAudits
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.config import Config
from gen404_assets.competition.duels import MatchReport
from gen404_assets.competition.files import StateFile
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.outputs import Output, Outputs, PodStatsFile
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import State
from gen404_assets.competition.submissions import Submission, Submissions
from gen404_assets.competition.winner import Winner
from simulators.hotkeys import to_hotkey

RULES = Rules()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MINERS = [to_hotkey(bytes([number + 1] * 32)) for number in range(40)]
"""Valid hotkeys that differ in their first ten characters."""

MINER = MINERS[0]


def config(**changes: object) -> Config:
    """The competition's config, as its operator would have written it, with `changes`."""
    keys: dict[str, object] = {
        "name": "mesh",
        "first_evaluation_date": "2026-01-05",
        "last_competition_date": "2026-02-28",
        "generation_stage_minutes": 120,
        "win_margin": 0.05,
        "weight_decay": 0.1,
        "weight_floor": 0.2,
        "prompts_per_round": 8,
        "carryover_prompts": 3,
    }
    return Config.parse(json.dumps(keys | changes).encode(), "config.json")


def submission(block: int = 100, commit: str = COMMIT) -> Submission:
    return Submission(
        repo="owner/model",
        commit=commit,
        cdn_url="https://cdn.example",
        revealed_at_block=block,
        round="mesh-1",
    )


def output(
    time: float = 10.0, distance: float | None = 0.0, *, png: bool = True, glb: bool = True
) -> Output:
    """An output; `glb` or `png` false: that file could not be had."""
    return Output(
        glb="https://store.example/a.glb" if glb else None,
        png="https://store.example/a.png" if png else None,
        generation_time=time,
        size=1000,
        attempts=1,
        distance=distance,
    )


_OUTPUT: dict[str, Any] = {
    "glb": "https://store.example/a.glb",
    "png": None,
    "generation_time": 12.5,
    "size": 12345,
    "attempts": 1,
    "distance": 0.012345678901234567,
}
_CODE = {"repo": "owner/model", "commit": COMMIT}
_AUDIT = {
    "checked_prompts": 30,
    "failed_prompts": 1,
    "failed_critical": 0,
    "generation_time": None,
    "reason": "",
}
_POD = {
    "pod_id": "miner-01-5c62ck4urf-0",
    "processed": 3,
    "successful": 2,
    "hard_failed": 1,
    "hard_overtime": 0,
    "time_min": 1.5,
    "time_max": 2.5,
    "time_avg": 2.0,
    "time_median": None,
    "marked_bad": False,
    "retry_cumulative_delta": -0.5,
    "retry_delta_count": 1,
    "termination_reason": None,
}
_DUEL = {
    "name": "chair",
    "prompt": "https://pool.example/chair.jpg",
    "left_glb": None,
    "left_png": "https://store.example/l.png",
    "right_glb": None,
    "right_png": None,
    "winner": "left",
    "issues": "Zweite Lehne fehlt, schräg: ü",
}

DOCUMENTS: dict[type[StateFile], Any] = {
    State: {"current_round": 3, "stage": "duels", "next_stage_eta": None},
    Config: {
        "name": "mesh",
        "first_evaluation_date": "2026-01-05",
        "last_competition_date": "2026-02-28",
        "round_start_time": "08:00:00",
        "generation_stage_minutes": 120,
        "win_margin": 0.05,
        "weight_decay": 0.1,
        "weight_floor": 0.2,
        "prompts_per_round": 128,
        "carryover_prompts": 32,
    },
    Leader: [
        {"hotkey": MINER, **_CODE, "docker": "image", "weight": 1.0, "effective_block": 100},
        {"hotkey": MINERS[1], **_CODE, "docker": "image", "weight": 0.9, "effective_block": 200},
    ],
    Schedule: {
        "earliest_reveal_block": 1,
        "latest_reveal_block": 2,
        "generation_deadline_block": 602,
    },
    Submissions: {
        MINERS[1]: {
            **_CODE,
            "cdn_url": "https://cdn.example",
            "revealed_at_block": 7,
            "round": "mesh-1",
        },
        MINERS[0]: {
            **_CODE,
            "cdn_url": "https://cdn.example/x",
            "revealed_at_block": 8,
            "round": "mesh-1",
        },
    },
    Builds: {
        MINER: {
            **_CODE,
            "revealed_at_block": 7,
            "tag": "0123456-mesh-1",
            "status": "pending",
            "docker_image": None,
        }
    },
    AuditRequests: [{"hotkey": MINER, "critical_prompts": ["chair", "lamp"]}],
    GenerationAudits: {MINER: {"hotkey": MINER, "outcome": "passed", **_AUDIT}},
    SourceAudits: [
        {"hotkey": MINER, "verdict": "failed", "reason": 'a "copy" of the leader\'s code'}
    ],
    Winner: {"winner_hotkey": "leader", **_CODE, "docker_image": None},
    Outputs: {
        "chair": _OUTPUT,
        "lamp": _OUTPUT | {"png": "https://store.example/b.png", "distance": None},
    },
    PodStatsFile: {"pod-1": _POD},
    MatchReport: {
        "left": "leader",
        "right": MINER,
        "score": -1,
        "margin": -0.5,
        "duels": [_DUEL, _DUEL],
    },
    Seed: {"seed": 4294967295, "block": 2, "block_hash": "0x00ff"},
}
"""File class -> a valid document."""


def text_of(kind: type[StateFile], document: Any = None) -> bytes:
    """A document as the platform writes it: two spaces, UTF-8, no final newline; a seed on one
    line.
    """
    content = DOCUMENTS[kind] if document is None else document
    return json.dumps(content, ensure_ascii=False, indent=None if kind is Seed else 2).encode()


FILES = [(kind, text_of(kind)) for kind in DOCUMENTS]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # what UTF-8 can say: no lone surrogates
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc ä", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
