"""Which queues a worker polls, in which order: names, `prefix*`, or `*` for all."""

from collections.abc import Callable, Iterable

from queuekit.checks import LONGEST_NAME
from queuekit.config.problems import in_words, quoted


def parse_queues(value: object, report: Callable[[str], None]) -> tuple[str, ...]:
    """The queues that `value` names: a text, maybe with commas, or a list. Tells every problem."""
    match value:
        case str():
            names: list[object] = [name.strip(" ") for name in value.split(",")]
        case list():
            names = value
        case _:
            report(f"got {in_words(value)}, expected the name of a queue or a list of names")
            return ()
    if not names:
        report("the list is empty; name a queue, or remove it to work on all queues")
    seen: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            report(f"got {in_words(name)} in the list, expected the name of a queue")
        elif (why := _unfit_queue(name)) is not None:
            report(why)
        elif name in seen:
            report(f"the queue {quoted(name)} is named twice")
        else:
            seen[name] = None
    return ("*",) if "*" in seen else tuple(seen)


def serves(queues: Iterable[str], name: str) -> bool:
    """Whether a worker of these queues takes jobs from the queue of this name."""
    return any(
        name.startswith(queue[:-1]) if queue.endswith("*") else name == queue for queue in queues
    )


def _unfit_queue(name: str) -> str | None:
    if not name.strip():
        return "the name of a queue is empty"
    if name != name.strip():
        return f"the queue {quoted(name)} begins or ends with a space"
    if "\0" in name:
        return f"the queue {quoted(name)} has a NUL character"
    if "," in name:
        return f"the queue {quoted(name)} has a comma; in a list, each queue is an entry of its own"
    if "*" in name[:-1]:
        return (
            f"the queue {quoted(name)} has a * before its end; "
            "* stands alone for all queues, or ends a prefix"
        )
    if len(name.removesuffix("*")) > LONGEST_NAME:
        return f"the queue {quoted(name)} is longer than {LONGEST_NAME} characters"
    return None
