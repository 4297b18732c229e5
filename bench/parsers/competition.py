"""The parsers of commitments, the judge's answers and state files."""

import json
from collections.abc import Callable

from bench import mutations
from bench.parsers.parser import Parser, Seed, case_files, named, text_seeds


def _commitments() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.commitments import read_submissions
    from gen404_assets.competition.schedule import Schedule
    from gen404_assets.competition.submissions import Submissions
    from resources.chain.subtensor import revealed_text
    from simulators.examples import MINER

    schedule = Schedule(
        earliest_reveal_block=0, latest_reveal_block=10, generation_deadline_block=20
    )

    def parse(_: str, data: bytes) -> object:
        text = revealed_text(data)
        submissions = read_submissions(
            {MINER: [(1, text)], text[:60]: [(2, text)]}, schedule, "mesh-1"
        ).submissions
        assert Submissions.parse(submissions.to_bytes(), "written") == submissions
        return submissions

    return parse


def _commitment_seeds() -> list[Seed]:
    miner = {
        "repo": "owner/model",
        "commit": "0123456789abcdef" * 2 + "01234567",
        "cdn_url": "https://cdn.example/a",
    }
    return named([json.dumps(miner).encode(), str(miner).encode(), *case_files("commitments/*")])


def _answers() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.judgement import NotJudged
    from resources.completion import reply_of
    from resources.judge import ANSWER_BYTES

    def parse(_: str, data: bytes) -> object:
        if len(data) > ANSWER_BYTES:
            raise NotJudged("no more is read of an answer")
        answer = reply_of(data.decode(errors="replace")).answer()
        assert 0 <= answer.penalty_1 <= 10
        assert 0 <= answer.penalty_2 <= 10
        answer.issues.encode()
        return answer

    return parse


def _answer_seeds() -> list[Seed]:
    verdict = json.dumps({"penalty_1": 3, "penalty_2": 5, "issues": "the legs are missing"})
    texts = [
        verdict,
        f"<think>hm {{</think>\n```json\n{verdict}\n```",
        f"<|begin_of_box|>{verdict}<|end_of_box|>",
    ]
    bodies = [
        {
            "id": "1",
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text}}],
        }
        for text in texts
    ]
    return named([json.dumps(body).encode() for body in bodies])


def _state_files() -> Callable[[str, bytes], object]:
    from simulators.examples import FILES

    kinds = {kind.__name__: kind for kind, _ in FILES}

    def parse(name: str, data: bytes) -> object:
        kind = kinds[name]
        state_file = kind.parse(data, "a file")
        assert kind.parse(state_file.to_bytes(), "written").says_the_same(state_file)
        state_file.to_bytes(replacing=data)
        return state_file

    return parse


def _state_seeds() -> list[Seed]:
    from simulators.examples import FILES

    return [(kind.__name__, raw) for kind, raw in FILES]


def _matrices() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.matches import Matrix

    def parse(_: str, data: bytes) -> object:
        matrix = Matrix.parse(data, "matches_matrix.csv")
        assert Matrix.parse(matrix.to_bytes(), "written").matches == matrix.matches
        return matrix

    return parse


def _prompts() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.prompts import parse_prompts, prompts_bytes, usable

    def parse(_: str, data: bytes) -> object:
        kept, skipped = usable(parse_prompts(data, "prompts.txt"))
        assert parse_prompts(prompts_bytes(kept), "written") == kept
        return kept, skipped

    return parse


_MATRIX = text_seeds(
    "left,right,margin\nleader,5abc,0.25\n5abc,5def,-1.0\n",
    "left,right,margin\r\nleader,5abc,1e-05",
)
_POOL = text_seeds(
    "https://pool.example/a.png\nhttps://pool.example/b.c.png\n\nhttps://pool.example/a.png\n# no\n"
)

PARSERS = {
    "commitment": Parser(_commitments, _commitment_seeds, mutations.json_of),
    "answer": Parser(_answers, _answer_seeds, mutations.answer_of, ("NotJudged",)),
    "state-file": Parser(_state_files, _state_seeds, mutations.json_of, ("MalformedFile",)),
    "matrix": Parser(_matrices, _MATRIX, mutations.lines_of, ("MalformedFile",)),
    "prompts": Parser(_prompts, _POOL, mutations.lines_of, ("MalformedFile",)),
}
