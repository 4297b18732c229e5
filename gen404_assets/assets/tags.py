"""The tags by which a run of the sensors is known (its lane, its round, and the head it was for),
and those of an asset.
"""

LANE_TAG, ROUND_TAG, HEAD_TAG = "gen404/lane", "gen404/round", "gen404/head"
REPLAY_TAG = "gen404/replay"
"""On an asset: `derived` where a replay derives its file again, `evidence` where it is taken as
recorded."""
