"""How the round is decided: duels, the matrix, who must be audited, the audits, and the winner.

Audits and duels feed back on each other: a rejection draws the line again and makes other matches
due. The graph shows the way forward; the way back is `competition.timeline`.
"""

from gen404_assets.assets.round_asset import round_assets
from gen404_assets.assets.specs import round_spec
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.live.auditing import audit_candidates
from gen404_assets.live.judging import crown_winner, judge_matches

duels = round_spec(
    Asset.DUELS,
    deps=[Asset.BASELINE, Asset.RENDERS, Asset.PROMPTS],
    kinds={"json", "openai"},
    description="The match reports: for every prompt, which of two outputs the judge found closer "
    "to the picture.",
)
matches_matrix = round_spec(
    Asset.MATCHES_MATRIX,
    deps=[Asset.DUELS, Asset.SUBMISSIONS, "config"],
    kinds={"csv"},
    description="Every match's margin, in the order played: qualification against the leader, the "
    "main line, and the "
    "missing pairs.",
)
audit_requests = round_spec(
    Asset.AUDIT_REQUESTS,
    deps=[Asset.MATCHES_MATRIX, Asset.DUELS, Asset.SEED, "config"],
    kinds={"json"},
    description="Who must prove that the published code made the results, and on which critical "
    "prompts.",
)
regenerated = round_spec(
    Asset.REGENERATED,
    deps=[Asset.AUDIT_REQUESTS, Asset.BUILDS, Asset.PROMPTS, Asset.SEED, Asset.RENDERS],
    kinds={"json", "docker", "s3"},
    description="What the audited miners' images made on rented GPUs, and how far it is from what "
    "was submitted.",
)
audits = round_spec(
    Asset.AUDITS,
    deps=[Asset.AUDIT_REQUESTS, Asset.REGENERATED, Asset.RENDERS, Asset.BUILDS],
    kinds={"json"},
    description="The verdicts on what was regenerated.",
)
winner = round_spec(
    Asset.WINNER,
    deps=[
        Asset.MATCHES_MATRIX,
        Asset.AUDITS,
        Asset.SOURCE_AUDITS,
        Asset.BUILDS,
        Asset.DEFENDING_LEADER,
        Asset.SUBMISSIONS,
    ],
    kinds={"json"},
    description="Who won: the last defender of the line once every defender in it is approved, or "
    "the leader.",
)
ASSETS = [
    round_assets([duels, matches_matrix, audit_requests], judge_matches, Lane.JUDGING),
    round_assets([regenerated, audits], audit_candidates, Lane.AUDITS),
    round_assets([winner], crown_winner, Lane.JUDGING),
]
