"""Replay: every file of a past round derived again from the recorded evidence, and compared with
what was recorded.
"""
