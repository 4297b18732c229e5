"""Matches as played, made from duels."""

from collections.abc import Sequence

from gen404_assets.competition.duels import Duel, Play, play_entry


def make_play(duels: Sequence[Duel], prompts: int, clinched_at: int | None = None) -> Play:
    """A match as played once (`play_entry`)."""
    entries = [duel.model_dump(exclude_unset=True) for duel in duels]
    return Play.model_validate(play_entry(entries, prompts, clinched_at))
