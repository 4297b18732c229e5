"""The tags by which a run of the sensors is known: its lane, its round, and the head it was for."""

LANE_TAG, ROUND_TAG, HEAD_TAG = "gen404/lane", "gen404/round", "gen404/head"
