"""The tags by which a run of the sensors is known (its lane, its round, and the head it was for),
and those of an asset.
"""

LANE_TAG, ROUND_TAG, HEAD_TAG = "gen404/lane", "gen404/round", "gen404/head"
REPLAY_TAG = "gen404/replay"
DERIVED, EVIDENCE, NO_REPLAY = "derived", "evidence", "none"
"""On an asset: a replay derives its file again, takes it as recorded, or doesn't look at it."""
