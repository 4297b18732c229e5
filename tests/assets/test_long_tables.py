"""What the UI shows of tables that are too long to be read."""

from collections.abc import Mapping

import dagster as dg

from gen404_assets.assets.long_tables import MOST_ROWS, cut
from gen404_assets.assets.tables import Value, table
from gen404_assets.competition.hotkeys import LEADER

Rows = list[Mapping[str, Value]]


def rows(value: object) -> list[dict[str, object]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_a_short_table_is_whole_and_a_long_one_says_how_many_more_there_are() -> None:
    prompts: Rows = [{"stem": f"p{number}"} for number in range(128)]
    short, long = table(prompts[:MOST_ROWS]), table(prompts)
    shown = cut({"few": short, "many": long, "prompts": 128})
    assert (shown["few"], shown["prompts"]) == (short, 128)
    assert "few: the rest" not in shown
    assert rows(shown["many"]) == prompts[:MOST_ROWS]
    assert shown["many: the rest"].startswith("103 more,")


def test_of_many_matches_the_main_line_is_shown_and_the_best_challengers() -> None:
    first: Rows = [{"left": LEADER, "right": f"m{n}", "margin": n / 100} for n in range(64)]
    line: Rows = [{"left": "m63", "right": f"m{n}", "margin": -n / 100} for n in (50, 10, 61)]
    shown = rows(cut({"timeline": table([*first, *line])})["timeline"])
    assert shown[:3] == line
    assert [row["right"] for row in shown[3:6]] == ["m63", "m62", "m61"]
    assert len(shown) == MOST_ROWS


def test_of_many_leaders_the_last_are_shown() -> None:
    leaders: Rows = [{"hotkey": "m", "effective_block": block} for block in range(100)]
    shown = rows(cut({"transitions": table(leaders)})["transitions"])
    assert [row["effective_block"] for row in shown] == [*range(75, 100)]
