"""`winner.json`: who won a round, with the code and image it won with."""

from gen404_assets.competition.builds import Builds
from gen404_assets.competition.files import ObjectFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import Transition


class Winner(ObjectFile):
    """`winner_hotkey` is `leader` when the leader defended."""

    winner_hotkey: str
    repo: str
    commit: str
    docker_image: str | None

    def is_same(self, other: "Winner | None") -> bool:
        """Whether both name the same hotkey, code and image; other keys don't count."""
        return other is not None and all(
            getattr(self, name) == getattr(other, name) for name in type(self).model_fields
        )


def crown(hotkey: str, builds: Builds | None, leader: Transition) -> Winner:
    """The winner's file: code and image from its build, or from the leader's entry. Raises KeyError
    without a build.
    """
    if hotkey == LEADER:
        return Winner(
            winner_hotkey=LEADER, repo=leader.repo, commit=leader.commit, docker_image=leader.docker
        )
    if builds is None:
        raise KeyError(hotkey)
    build = builds[hotkey]
    return Winner(
        winner_hotkey=hotkey, repo=build.repo, commit=build.commit, docker_image=build.docker_image
    )
