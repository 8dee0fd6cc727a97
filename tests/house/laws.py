"""The list of laws, and the difference between an offence and a known violation."""

from collections.abc import Callable, Iterable, Set

from tests.house import rooms, sizes, words
from tests.house.source import Offence, Source

Law = Callable[[Source], Iterable[Offence]]

LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        rooms.rooms,
        rooms.dialects,
        rooms.libraries,
        rooms.import_cycles,
        rooms.imports_in_functions,
        rooms.lazy_lines,
        sizes.function_length,
        sizes.function_p90,
        sizes.function_median,
        sizes.file_length,
        sizes.file_median,
        sizes.parameters,
        sizes.nesting,
        sizes.branches,
        sizes.branches_p90,
        words.annotations,
        words.module_docstrings,
        words.docstrings,
        words.namesakes,
        words.floats,
        words.aborts,
        words.clocks,
        words.names,
        words.warnings_are_errors,
    )
}


def unexcused(name: str, source: Source, known: Set[str]) -> list[Offence]:
    """The offences against a law that are not on the list of known violations."""
    return [found for found in LAWS[name](source) if entry(name, found) not in known]


def stale(source: Source, known: Set[str]) -> set[str]:
    """Entries that excuse nothing: the list may only shrink, and must when the code is mended."""
    offences = {entry(name, found) for name, law in LAWS.items() for found in law(source)}
    return set(known) - offences


def entry(name: str, offence: Offence) -> str:
    """How an offence is written on the list of known violations."""
    return f"{name}: {offence.place}"


def report(name: str, offences: list[Offence]) -> str:
    """The law, and one line for each offender."""
    title = f"{name}: {LAWS[name].__doc__}"
    return "\n  ".join([title, *map(str, offences)])
