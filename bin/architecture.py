"""The picture of docs/architecture.md, made from the code: which room imports which.

`python bin/architecture.py` prints it as Mermaid; a test compares it with the page.
"""

import grimp

ROOMS = {
    "gen404_assets.commands": "commands: what an operator types",
    "gen404_assets.definitions": "definitions: everything wired",
    "sensors": "sensors: what is due is requested",
    "gen404_assets.assets": "assets: the graph, by stage",
    "gen404_assets.live": "live: the round under way",
    "gen404_assets.replay": "replay: past rounds derived again",
    "gen404_assets.report": "report: rounds as static pages",
    "gen404_assets.frames": "frames: rounds as data frames",
    "gen404_assets.competition_repository": "competition_repository: repository and history",
    "gen404_assets.settings": "settings: the platform's",
    "gen404_assets.competition": "competition: rules and file formats",
    "resources": "resources: adapters to the outside",
    "gpu": "gpu: renderer and distance model",
}


def picture() -> str:
    """The rooms and their imports as a Mermaid graph, without edges that longer ways imply."""
    graph = grimp.build_graph("gen404_assets", "gpu", "resources", "sensors")
    edges = {
        (above, below)
        for above in ROOMS
        for below in ROOMS
        if above != below and _imports(graph, above, below)
    }
    lines = ["graph TD"]
    lines += [f'    {_key(room)}["{label}"]' for room, label in ROOMS.items()]
    lines += [f"    {_key(a)} --> {_key(b)}" for a, b in sorted(_reduced(edges))]
    return "\n".join(lines)


def _imports(graph: grimp.ImportGraph, above: str, below: str) -> bool:
    importers, imported = _modules(graph, above), _modules(graph, below)
    return any(graph.find_modules_directly_imported_by(module) & imported for module in importers)


def _modules(graph: grimp.ImportGraph, room: str) -> set[str]:
    return {room, *graph.find_descendants(room)} & graph.modules


def _reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that no longer way between the same rooms stands for."""
    return {
        (above, below)
        for above, below in edges
        if not any(
            (above, middle) in edges and _leads(edges, middle, below)
            for middle in ROOMS
            if middle != below
        )
    }


def _leads(edges: set[tuple[str, str]], start: str, end: str) -> bool:
    return start == end or any(
        _leads(edges, after, end) for before, after in edges if before == start
    )


def _key(room: str) -> str:
    return room.rpartition(".")[2]


if __name__ == "__main__":
    print(picture())
