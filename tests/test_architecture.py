"""The architecture page shows the rooms as the code has them, and nothing in them is too long."""

import ast
import re
import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE, FUNCTION, CLASS = 400, 60, 200
"""Lines at most; a function's and a class's without their decorators."""
PARAMETERS = 6
OF_ANOTHER_LIBRARY = {
    f"simulators/gsplat.py: {name}" for name in ("rasterization", "fully_fused_projection")
}
"""Functions that stand in for another library's, and have its parameters."""
PACKAGES = ("gen404_assets", "gpu", "resources", "sensors")


def test_the_picture_of_the_rooms_is_made_from_the_code() -> None:
    picture = runpy.run_path(str(ROOT / "bin/architecture.py"))["picture"]()
    page = (ROOT / "docs/architecture.md").read_text()
    assert f"```mermaid\n{picture}\n```" in page


def test_every_room_and_every_module_beside_the_rooms_has_its_line() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    package = ROOT / "gen404_assets"
    rooms = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    for room in [*rooms, *modules]:
        assert f"| `gen404_assets/{room}` |" in page


def test_dagster_is_imported_where_the_pages_say() -> None:
    modules = [path for room in PACKAGES for path in (ROOT / room).rglob("*.py")]
    importing = re.compile(r"^\s*(import|from) dagster(_aws)?\b(?!_)", re.MULTILINE)
    found = {str(path.relative_to(ROOT)) for path in modules if importing.search(path.read_text())}
    rooms = ("gen404_assets/assets/", "gen404_assets/commands/", "sensors/")
    others = {path for path in found if not path.startswith(rooms)}
    assert others == {"gen404_assets/definitions.py", "resources/object_store.py"}


def oversized(source: str) -> Iterator[str]:
    """What is too long in a module, or takes too many parameters."""
    if (lines := len(source.splitlines())) > MODULE:
        yield f"{lines} lines"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
            yield f"{node.name}: {lines} lines"
        if not isinstance(node, ast.ClassDef) and (count := parameters(node)) > PARAMETERS:
            yield f"{node.name}: {count} parameters"


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    of = function.args
    several = filter(None, (of.vararg, of.kwarg))
    every = [*of.posonlyargs, *of.args, *of.kwonlyargs, *several]
    return len([each for each in every if each.arg not in {"self", "cls"}])


def test_no_module_function_or_class_is_too_long_and_no_function_takes_too_much() -> None:
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "*.py"], capture_output=True, check=True, text=True
    )
    names = listed.stdout.split("\0")[:-1]
    assert len(names) > 500
    found = [f"{name}: {what}" for name in names for what in oversized((ROOT / name).read_text())]
    assert [each for each in found if each.rpartition(":")[0] not in OF_ANOTHER_LIBRARY] == []


def test_what_is_too_long_or_takes_too_much_is_found() -> None:
    body = "    pass\n"
    assert [*oversized("def f(a, b, /, c, *d, e, **g):\n" + body * 59)] == []
    assert [*oversized("class C:\n    def f(self, a, b, c, d, e, g):\n    " + body)] == []
    assert [*oversized("async def f(a, b, /, c, *d, e, f, **g):\n" + body)] == ["f: 7 parameters"]
    assert [*oversized("def f():\n" + body * 60)] == ["f: 61 lines"]
    assert [*oversized("class C:\n" + body * 200)] == ["C: 201 lines"]
    assert [*oversized("\n" * 401)] == ["401 lines"]
