"""A report written whole: the season, and for each chosen round its page and those of its matches,
miners and audits.
"""

from collections.abc import Iterable

from gen404_assets.competition.duels import MatchReport, Play
from gen404_assets.competition.history import History
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from gen404_assets.frames import Row, audit_rows, match_rows
from gen404_assets.replay.rounds import replay_round
from gen404_assets.report import charts, matches, miners, steps
from gen404_assets.report.addresses import (
    SEASON,
    audit_page,
    match_page,
    miner_page,
    round_page,
    up_from,
)
from gen404_assets.report.book import Book
from gen404_assets.report.copies import copies
from gen404_assets.report.rounds import (
    acts,
    findings,
    heat_map,
    judge_orders,
    ranking,
    stage_times,
    waits,
)
from gen404_assets.report.season import Season, season
from gen404_assets.report.sections import read_section


def write_season(book: Book, history: History, written: Iterable[int]) -> None:
    """Write the season's page. `written`: the rounds that have a page of their own."""
    write_season_page(book, season(history), written)


def write_season_page(book: Book, shown: Season, written: Iterable[int]) -> None:
    """Write the page of a season of any edition."""
    book.copy_static()
    drawn = _season_charts(book, shown)
    book.write(SEASON, "season.html", season=shown, written=set(written), charts=drawn)


def _season_charts(book: Book, shown: Season) -> dict[str, str]:
    drawn = {}
    if shown.leaders:
        weights = [(row["effective_block"], row["weight"]) for row in shown.leaders]
        drawn["weight"] = book.draw("charts/weight.svg", charts.weight_chart(weights))
    begun = [row for row in shown.rounds if row["submissions"]]  # others are open, or not copied
    if begun:
        numbers = [row["round"] for row in begun]
        groups = {
            label: [row[column] for row in begun]
            for label, column in (("submitted", "submissions"), ("qualified", "qualified"))
            if all(row[column] is not None for row in begun)
        }
        chart = charts.participation_chart(numbers, groups)
        drawn["participation"] = book.draw("charts/participation.svg", chart)
    if shown.decisive and shown.win_margin is not None:
        chart = charts.closeness_chart([*shown.decisive.items()], shown.win_margin)
        drawn["closeness"] = book.draw("charts/closeness.svg", chart)
    return drawn


def write_round(book: Book, history: History, number: int, rules: Rules) -> None:
    """Write a round's page and those of its matches, miners and audits. A file that breaks its
    format leaves its part of the pages empty, with the reason.
    """
    replayed = replay_round(history, number, rules)
    current = history.round(number)
    rows = read_section(lambda: [*match_rows(current)])
    order = read_section(lambda: [*current.timeline.order])
    audits = read_section(lambda: [*audit_rows(current)])
    book.planned.update(miner_page(number, hotkey) for hotkey in order.value or ())
    book.planned.update(audit_page(number, row["hotkey"]) for row in audits.value or ())
    times = read_section(lambda: stage_times(history, number))
    ended = [(time.stage, time.hours) for time in times.value or () if time.hours is not None]
    path = f"rounds/{number}/charts/stages.svg"
    book.write(
        round_page(number),
        "round.html",
        number=number,
        replayed=replayed,
        findings=findings(replayed),
        state=read_section(lambda: current.state),
        config=read_section(lambda: current.config),
        winner=read_section(lambda: current.winner),
        times=times,
        stages_chart=book.draw(path, charts.stages_chart(ended)) if ended else None,
        ranking=read_section(lambda: ranking(current)),
        heat=read_section(lambda: heat_map(current)),
        qualification=read_section(lambda: steps.qualification(current)),
        lines=read_section(lambda: steps.lines(history, current)),
        ending=read_section(lambda: steps.ending(current)),
        copies=read_section(lambda: copies(current)),
        orders=read_section(lambda: judge_orders(current)),
        acts=read_section(lambda: acts(history, number)),
        waits=read_section(lambda: waits(history, current)),
        audits=audits,
    )
    _write_matches(book, current)
    for hotkey in order.value or ():
        _write_miner(book, current, hotkey, rows.value or [], rules)
    for row in audits.value or ():
        _write_audit(book, current, row, rules)


def _write_matches(book: Book, current: Round) -> None:
    matrix = read_section(lambda: current.matrix).value
    for match in matrix.matches if matrix else ():
        _write_match(book, current, match.pair, match.margin)


def _write_match(book: Book, current: Round, pair: Pair, margin: float) -> None:
    page = match_page(current.number, pair)
    up = up_from(page)
    report = read_section(lambda: current.report(pair))
    plays: list[MatchReport | Play] = []
    if report.value is not None:
        plays = [report.value, *(report.value.others or [])]
    shown = [list(matches.duels(current, play, book.objects, up)) for play in plays]
    book.write(
        page,
        "match.html",
        number=current.number,
        pair=pair,
        margin=margin,
        win_margin=read_section(lambda: current.config.win_margin).value,
        report=report,
        plays=shown,
    )


def _write_miner(book: Book, current: Round, hotkey: str, rows: list[Row], rules: Rules) -> None:
    page = miner_page(current.number, hotkey)
    up = up_from(page)
    times = read_section(lambda: miners.times_of(current, hotkey))
    path = page.replace("/miners/", "/charts/times-").removesuffix("html") + "svg"
    chart = (
        charts.sorted_chart(times.value, rules.generation_timeout, "seconds")
        if times.value
        else None
    )
    book.write(
        page,
        "miner.html",
        number=current.number,
        hotkey=hotkey,
        entry=current.required_submissions[hotkey],
        build=read_section(lambda: current.builds.get(hotkey) if current.builds else None),
        rows=[row for row in rows if hotkey in (row["left"], row["right"])],
        win_margin=read_section(lambda: current.config.win_margin).value,
        files=read_section(lambda: miners.files_of(current, hotkey, book.objects, up)),
        chart=book.draw(path, chart) if chart else None,
    )


def _write_audit(book: Book, current: Round, row: Row, rules: Rules) -> None:
    hotkey = row["hotkey"]
    page = audit_page(current.number, hotkey)
    pairs = read_section(
        lambda: miners.audited(current, hotkey, rules, book.objects, up_from(page))
    )
    distances = miners.distances_of(pairs.value or [])
    path = page.replace("/audits/", "/charts/distances-").removesuffix("html") + "svg"
    chart = charts.sorted_chart(distances, rules.acceptable_distance, "distance")
    book.write(
        page,
        "audit.html",
        number=current.number,
        hotkey=hotkey,
        audit=row,
        rules=rules,
        pairs=pairs,
        request=read_section(lambda: current.requests.for_hotkey(hotkey)),
        chart=book.draw(path, chart) if distances else None,
    )
