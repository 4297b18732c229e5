"""What a store holds is checked against what the files say, over real HTTP: an honest competition
has no finding, and each forgery of an object one, on the file that names it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from tests.replay.objects.world import StoredCompetition, stored_competition


@pytest.fixture
def world() -> Iterator[StoredCompetition]:
    with stored_competition() as competition:
        yield competition


def judged_duel(world: StoredCompetition) -> tuple[str, dict[str, Any]]:
    """A report of a match against the leader, and a duel in it that the judge decided."""
    path = world.path(0, "duels_leader.json")
    duels = json.loads(world.files[path])["duels"]
    return path, next(duel for duel in duels if duel.get("evidence"))


def output_in(world: StoredCompetition) -> tuple[str, str, dict[str, Any]]:
    """What the challenger submitted for that duel: its file, the prompt's stem, and the output."""
    report, duel = judged_duel(world)
    path, stem = report.replace("duels_leader.json", "submitted.json"), duel["name"]
    return path, stem, json.loads(world.files[path])[stem]


def test_an_honest_store_has_no_finding_and_all_of_it_is_looked_at(
    world: StoredCompetition,
) -> None:
    found = world.check()
    assert found.files == {}
    assert found.report.unchecked == []
    [each] = found.report.rounds
    assert each.store == world.store.url
    assert each.outputs > 20
    assert each.counts["files"] == each.counts["previews"] == each.counts["drawn"] > 20
    assert each.counts["digests"] >= 3 * each.duels > 15
    assert each.counts["answers"] >= 2 * each.duels
    assert len(world.store.asked) == len({*world.store.asked})  # each is fetched once


def test_a_swapped_preview_is_found_by_drawing_the_file_again(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    world.store.objects[world.key(output["png"])] = b"picture of another"
    found = world.check()
    assert any(
        line.startswith(f"{stem}.png: recorded a preview, derived none") for line in found.of(path)
    )
    duels = [other for other in found.files if "duels_" in other]
    assert duels  # and by the digests of what the judge was shown
    assert all(".evidence." in line for other in duels for line in found.of(other))


def test_a_file_of_another_size_is_found(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    key = world.key(output["glb"])
    world.store.objects[key] += b" and more"
    size = len(world.store.objects[key])
    [by_size, by_picture] = world.check().of(path)
    assert by_size == (
        f"{stem}.size: recorded {output['size']} bytes, derived {size} bytes "
        f'(in the store: "{output["glb"]}")'
    )
    assert by_picture.startswith(f"{stem}.png: ")


def test_a_changed_file_of_the_same_size_is_found_by_its_picture(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    key = world.key(output["glb"])
    world.store.objects[key] = world.store.objects[key][::-1]
    [line] = world.check().of(path)
    assert line.startswith(f"{stem}.png: ")
    assert world.check(renderer=None).files == {}


def test_a_file_that_can_not_be_drawn_has_no_preview(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    key = world.key(output["glb"])
    world.store.objects[key] = b"bad".ljust(output["size"])
    [line] = world.check().of(path)
    assert line.startswith(
        f"{stem}.png: recorded a preview, derived none: the file can't be drawn: not a model"
    )


def test_a_preview_withheld_from_a_file_that_can_be_drawn_is_found(
    world: StoredCompetition,
) -> None:
    path, stem, _ = output_in(world)
    world.edit(path, lambda content: content[stem].update(png=None, reason="too large"))
    assert world.check().of(path) == [
        f"{stem}.png: recorded no preview (too large), derived one: the file can be drawn"
    ]


def test_an_object_that_is_gone_is_found_on_each_file_that_names_it(
    world: StoredCompetition,
) -> None:
    path, stem, output = output_in(world)
    del world.store.objects[world.key(output["glb"])]
    found = world.check()
    assert found.of(path) == [
        f"{stem}.file: recorded an object, derived none: HTTP status 404 "
        f'(in the store: "{output["glb"]}")'
    ]
    assert found.report.findings == 1


def test_a_digest_of_a_picture_that_the_judge_was_not_shown_is_found(
    world: StoredCompetition,
) -> None:
    path, duel = judged_duel(world)

    def forge(report: dict[str, Any]) -> None:
        [forged] = [each for each in report["duels"] if each["name"] == duel["name"]]
        forged["evidence"]["left"] = "0" * 64

    world.edit(path, forge)
    [digest, *answers] = world.check().of(path)
    assert digest.startswith(f"duels.{duel['name']}.evidence.left: recorded {'0' * 64}, derived ")
    assert len(answers) >= 2  # and no answers are kept to a question about that picture
    assert all("HTTP status 404" in line for line in answers)


def test_an_altered_answer_is_found_by_what_the_store_keeps(world: StoredCompetition) -> None:
    path, duel = judged_duel(world)
    kept = duel["evidence"]["answers"][0]
    forged = kept["text"].replace("colours", "other colours")
    assert forged != kept["text"]

    def forge(report: dict[str, Any]) -> None:
        [each] = [each for each in report["duels"] if each["name"] == duel["name"]]
        each["evidence"]["answers"][0]["text"] = forged

    world.edit(path, forge)
    [line] = world.check().of(path)
    assert line.startswith(
        f"duels.{duel['name']}.evidence.answers[0].answer: "
        f"recorded {forged}, derived {kept['text']}"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b'{"answer": "x"}', b"\xff"])
def test_an_answer_in_the_store_that_is_none_is_found(
    world: StoredCompetition, content: bytes
) -> None:
    path, duel = judged_duel(world)
    world.store.objects[duel["evidence"]["answers"][1]["key"]] = content
    found = world.check(renderer=None)
    assert any(f"duels.{duel['name']}.evidence.answers[1]" in line for line in found.of(path))


def test_an_url_of_another_host_is_found_and_never_asked_for(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    with stored_competition() as other:
        url = f"{other.store.url}/{world.key(output['glb'])}"
        world.edit(path, lambda content: content[stem].update(glb=url))
        [line] = world.check().of(path)
        assert line == f"{stem}.file: recorded {url}, derived a URL below {world.store.url}"
        assert other.store.asked == []


def test_a_redirect_to_another_host_is_not_followed(world: StoredCompetition) -> None:
    path, stem, output = output_in(world)
    key = world.key(output["glb"])
    with stored_competition() as other:
        world.store.redirects[key] = f"{other.store.url}/{key}"
        [line] = world.check().of(path)
        assert line.startswith(
            f"{stem}.file: recorded an object, derived none: it leads to another host"
        )
        assert other.store.asked == []


def test_a_store_that_fails_throughout_is_said_once_and_asked_no_more(
    world: StoredCompetition,
) -> None:
    world.store.statuses[""] = 503
    found = world.check()
    assert found.files == {}
    assert len(found.report.unchecked) == 2  # of rounds/ and of answers/
    assert all("HTTP status 503" in line for line in found.report.unchecked)
    assert len(world.store.asked) < 100


def test_a_part_of_the_store_that_is_closed_to_us_is_no_finding_on_each_object(
    world: StoredCompetition,
) -> None:
    world.store.statuses["answers/"] = 403
    found = world.check()
    assert found.files == {}
    [line] = found.report.unchecked
    assert line.endswith("could not be had, and nothing else of it: HTTP status 403")


def test_a_store_whose_port_nobody_listens_on_can_not_be_checked(world: StoredCompetition) -> None:
    gone = "http://127.0.0.1:1/bucket"
    world.files = {
        path: content.replace(world.store.url.encode(), gone.encode())
        for path, content in world.files.items()
    }
    found = world.check()
    assert found.files == {}
    assert all("the connection failed" in line for line in found.report.unchecked)


def test_a_hanging_object_can_not_be_checked_and_the_others_are() -> None:
    with stored_competition(timeout=0.3) as world:
        _, _, output = output_in(world)
        world.store.hanging = world.key(output["glb"])
        found = world.check()
        assert any("no end after 0.3 s" in line for line in found.report.unchecked)


def test_an_error_that_passes_is_asked_again(world: StoredCompetition) -> None:
    _, _, output = output_in(world)
    key = world.key(output["png"])
    world.store.failing[key] = 2
    found = world.check()
    assert found.files == {}
    assert found.report.unchecked == []
    assert world.store.asked.count(key) == 3


def test_a_sample_is_the_same_for_the_same_seed_and_a_larger_one_holds_it(
    world: StoredCompetition,
) -> None:
    def asked(**sample: Any) -> set[str]:
        world.store.asked.clear()
        world.check(renderer=None, **sample)
        return set(world.store.asked)

    three = asked(count=3, seed=7)
    assert asked(count=3, seed=7) == three
    assert asked(count=3, seed=8) != three
    assert three < asked(count=6, seed=7)


def test_a_renderer_that_can_not_work_is_told_and_the_rest_is_checked(
    world: StoredCompetition,
) -> None:
    class Broken:
        def render(self, *_: object) -> bytes:
            raise InfrastructureFault("no picture: no EGL")

    found = world.check(renderer=Broken())
    assert found.files == {}
    assert found.report.limits == ["previews are not drawn again: no picture: no EGL"]
    assert found.report.unchecked == []


def test_rounds_without_objects_are_none_to_check(world: StoredCompetition) -> None:
    world.files = {
        path: content
        for path, content in world.files.items()
        if "submitted" not in path and "generated" not in path
    }
    found = world.check()
    assert [each.store for each in found.report.rounds] == [None]


def test_files_that_can_not_be_read_are_left_to_the_replay(world: StoredCompetition) -> None:
    path = world.path(0, "submitted.json")
    world.files[path] = b"{"
    world.files[world.path(0, "duels_leader.json")] = b"[]"
    assert world.check(renderer=None).files == {}
