"""The generative model: what a scene holds, what its three captions say, and what is right.

A scene has one to three garments. Within a scene silhouettes, colours, patterns and places differ. Each caption speaks
of one target and determines its use, sometimes only together with the picture; the class is the target's silhouette and
use. The *kind* of a caption says what it takes to find target and use:

    complement   one garment; the caption says the use
    redundant    two or three; the caption names the target's silhouette and says the use
    easy         one; an occasion whose dress code depends on the pattern (conditional)
    hard         one; "if striped for the gym, else for the office" (conditional)
    selection    one; two pieces with a use each, told apart by colour, of which the picture shows one
    reference    two or three; the target by colour, pattern or place, the others mentioned in passing
    exclusion    two; "not the red one"
    relation     two or three; "left of the red one"

Each attribute (colour, pattern, place) belongs to one of the three captions, in random order, so that the captions of a
scene together mention all of them for every garment. What an exclusion or a relation leaves unsaid is added to the
first other caption of the scene.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

SILHOUETTES = ("top", "sweater", "trousers", "skirt", "dress", "coat")
USES = ("casual", "sport", "formal")
COLOURS = ("red", "blue", "green", "black", "white")
PATTERNS = ("plain", "striped", "dotted", "checked")
PLACES = ("left", "middle", "right")
SETTINGS = ("wood", "sand", "brick", "tiles", "stone", "carpet", "straw", "felt")
ATTRIBUTES: Mapping[str, Sequence[str]] = {"colour": COLOURS, "pattern": PATTERNS, "place": PLACES}
LABELS = tuple(f"{use} {silhouette}" for silhouette in SILHOUETTES for use in USES)

CAPTIONS = 3  # of a scene
GARMENTS = {1: 5, 2: 4, 3: 1}  # number of garments -> share in tenths
#: Uses of scenes with one garment, of 24: with the easy captions, which are never of sport, each use has one third.
USE_WEIGHTS: Mapping[str, int] = {"casual": 7, "sport": 10, "formal": 7}
#: An occasion's dress code -> the use of a plain or striped garment, and that of a dotted or checked one.
DRESS_CODES: Mapping[str, tuple[str, str]] = {"strict": ("formal", "casual"), "festive": ("casual", "formal")}
RESTRAINED = ("plain", "striped")
#: Kinds of captions of one garment in tenths: of the one that has the pattern to mention, and of the other two. A
#: condition on the pattern never tells the pattern.
ONE_WITH_PATTERN: Mapping[str, int] = {"complement": 4, "selection": 6}
ONE: Mapping[str, int] = {"complement": 1, "easy": 3, "hard": 3, "selection": 3}
#: Number of captions of a scene with two garments that are an exclusion or a relation -> share in twentieths.
INDIRECT: Mapping[int, int] = {0: 4, 1: 11, 2: 5}
INDIRECT_KINDS: Mapping[str, int] = {"exclusion": 4, "relation": 3}
OF_TWO: Mapping[str, int] = {"redundant": 2, "reference": 11}
#: Of three garments, three scenes in ten have a relation.
RELATED: Mapping[bool, int] = {False: 7, True: 3}
OF_THREE: Mapping[str, int] = {"redundant": 1, "reference": 8}
Description = tuple[tuple[str, str], ...]  # attribute and value, in the order of ATTRIBUTES


@dataclass(frozen=True)
class Garment:
    """One garment of a scene."""

    silhouette: str
    colour: str
    pattern: str
    place: str

    def describe(self, attributes: Sequence[str]) -> Description:
        """Return the values of some attributes, in the order of :data:`ATTRIBUTES`."""
        return tuple((name, getattr(self, name)) for name in ATTRIBUTES if name in attributes)

    def fits(self, description: Description) -> bool:
        """Return whether every value of a description is this garment's."""
        return all(getattr(self, name) == value for name, value in description)


@dataclass(frozen=True)
class Scene:
    """The garments of a picture, from left to right, and what they lie on."""

    garments: tuple[Garment, ...]
    setting: str


@dataclass(frozen=True)
class Message:
    """All that a caption says, whatever its words.

    Args:
        kind: one of :data:`KINDS`.
        setting: what the garments lie on.
        target: values of the target, or of the only garment; of both pieces in a selection.
        silhouette: of the target, where the caption names it.
        others: values of each garment that is mentioned in passing.
        anchor: values of the garment that is excluded, or that a relation starts from.
        side: of a relation: on which side of the anchor the target is.
        uses: the use; of a condition, the uses if it holds and if not; of a selection, those of its choices.
        code: an occasion's dress code.
        condition: the pattern that a condition asks for.
        choices: of a selection: the values that tell its pieces apart.
    """

    kind: str
    setting: str
    target: Description = ()
    silhouette: str | None = None
    others: tuple[Description, ...] = ()
    anchor: Description = ()
    side: str | None = None
    uses: tuple[str, ...] = ()
    code: str | None = None
    condition: str | None = None
    choices: Description = ()

    def to_json(self) -> str:
        """Return it as text, without what is empty."""
        return json.dumps({k: v for k, v in asdict(self).items() if v})

    @classmethod
    def from_json(cls, text: str) -> Message:
        """Read what :meth:`to_json` wrote."""

        def frozen(value: Any) -> Any:
            return tuple(map(frozen, value)) if isinstance(value, list) else value

        return cls(**{k: frozen(v) for k, v in json.loads(text).items()})


@dataclass(frozen=True)
class Statement:
    """A message with what is right: the target's position in the scene, and its use."""

    message: Message
    target: int
    use: str


def draw_scene(rng: Random) -> Scene:
    """Draw a scene; silhouettes, colours, patterns and places of its garments differ."""
    count = draw(GARMENTS, rng)
    kinds = [_some(values, count, rng) for values in (SILHOUETTES, COLOURS, PATTERNS)]
    places = sorted(_some(PLACES, count, rng), key=PLACES.index)
    garments = tuple(Garment(*values) for values in zip(*kinds, places, strict=True))
    return Scene(garments, SETTINGS[rng.randrange(len(SETTINGS))])


def draw_statements(scene: Scene, rng: Random) -> list[Statement]:
    """Draw the captions of a scene, which together mention every attribute of every garment."""
    topics = _some(tuple(ATTRIBUTES), CAPTIONS, rng)
    if len(scene.garments) == 1:
        return [_of_one(scene, topic, rng) for topic in topics]
    kinds = _kinds(len(scene.garments), topics, rng)
    targets = [_draw_target(kind, len(scene.garments), rng) for kind in kinds]
    unsaid = [(target, topic) for kind, target, topic in zip(kinds, targets, topics, strict=True) if _indirect(kind)]
    direct = next(i for i, kind in enumerate(kinds) if not _indirect(kind))
    return [
        _of_several(scene, kind, target, topic, unsaid if i == direct else [], rng)
        for i, (kind, target, topic) in enumerate(zip(kinds, targets, topics, strict=True))
    ]


def answer(scene: Scene, message: Message) -> tuple[int, str]:
    """Return what an observer of picture and caption concludes: the target's position in the scene, and its use.

    Raises: ValueError for a caption that does not fit the scene.
    """
    target = _target_of(scene, message)
    garment = scene.garments[target]
    if message.code is not None:
        return target, DRESS_CODES[message.code][garment.pattern not in RESTRAINED]
    if message.condition is not None:
        return target, message.uses[garment.pattern != message.condition]
    if message.choices:
        return target, message.uses[next(i for i, c in enumerate(message.choices) if garment.fits((c,)))]
    return target, message.uses[0]


def likelihood(message: Message, scene: Scene) -> float:
    """Return P(message | scene), up to a factor that depends on the message alone; 0 where they do not fit.

    Args:
        message: what a caption says.
        scene: what a picture shows.
    """
    if message.setting != scene.setting:
        return 0.0
    mentioned = 1 + len(message.others) + bool(message.anchor)
    if mentioned != len(scene.garments):
        return 0.0
    if message.choices and not any(scene.garments[0].fits((choice,)) for choice in message.choices):
        return 0.0
    try:
        target = _target_of(scene, message)
    except ValueError:
        return 0.0
    garment = scene.garments[target]
    rest = [g for i, g in enumerate(scene.garments) if i != target and not (message.anchor and g.fits(message.anchor))]
    if message.silhouette not in (None, garment.silhouette) or len(rest) != len(message.others):
        return 0.0
    if not all(any(g.fits(other) for g in rest) for other in message.others):
        return 0.0
    if len(message.uses) < 2:
        return 1.0
    weight = float(USE_WEIGHTS[answer(scene, message)[1]])
    if message.condition is not None:  # half of the conditions hold; the others name one of three further patterns
        return weight if garment.pattern == message.condition else weight / 3
    return weight


def draw(shares: Mapping[T, int], rng: Random) -> T:
    """Draw a key by its share."""
    place = rng.randrange(sum(shares.values()))
    for key, share in shares.items():
        place -= share
        if place < 0:
            return key
    raise AssertionError("the place is below the sum of shares")


def _some(values: Sequence[T], count: int, rng: Random) -> list[T]:
    """Draw some different values, in random order."""
    shuffled = list(values)
    rng.shuffle(shuffled)
    return shuffled[:count]


def _indirect(kind: str) -> bool:
    """Return whether a caption of this kind mentions another garment instead of the target."""
    return kind in ("exclusion", "relation")


def _of_one(scene: Scene, topic: str, rng: Random) -> Statement:
    """Draw a caption of a scene with one garment."""
    (garment,) = scene.garments
    kind = draw(ONE_WITH_PATTERN if topic == "pattern" else ONE, rng)
    target = garment.describe([topic])
    if kind == "easy":
        code = list(DRESS_CODES)[rng.randrange(len(DRESS_CODES))]
        use = DRESS_CODES[code][garment.pattern not in RESTRAINED]
        return Statement(Message(kind, scene.setting, target, code=code), 0, use)
    use = draw(USE_WEIGHTS, rng)
    if kind == "complement":
        return Statement(Message(kind, scene.setting, target, uses=(use,)), 0, use)
    other = _some([u for u in USES if u != use], 1, rng)[0]
    if kind == "hard":
        holds = rng.randrange(2) == 0
        pattern = garment.pattern if holds else _some([p for p in PATTERNS if p != garment.pattern], 1, rng)[0]
        uses = (use, other) if holds else (other, use)
        return Statement(Message(kind, scene.setting, target, uses=uses, condition=pattern), 0, use)
    by = "pattern" if topic == "colour" else "colour"
    mine = getattr(garment, by)
    pairs = [(mine, use), (_some([v for v in ATTRIBUTES[by] if v != mine], 1, rng)[0], other)]
    rng.shuffle(pairs)
    choices = tuple((by, value) for value, _ in pairs)
    return Statement(Message(kind, scene.setting, target, uses=tuple(u for _, u in pairs), choices=choices), 0, use)


def _kinds(garments: int, topics: Sequence[str], rng: Random) -> list[str]:
    """Draw the kinds of the captions of a scene with several garments; one at least is direct."""
    if garments == 3:  # "not the red one" would leave two
        kinds = [draw(OF_THREE, rng) for _ in topics]
        if draw(RELATED, rng):
            kinds[_some([i for i, topic in enumerate(topics) if topic != "place"], 1, rng)[0]] = "relation"
        return kinds
    kinds = [draw(OF_TWO, rng) for _ in topics]
    for i in _some(range(CAPTIONS), draw(INDIRECT, rng), rng):
        # A relation to a garment that is known by its place would be an exclusion.
        kinds[i] = "exclusion" if topics[i] == "place" else draw(INDIRECT_KINDS, rng)
    return kinds


def _draw_target(kind: str, garments: int, rng: Random) -> int:
    """Draw the position of a caption's target; of three garments, a relation starts from the middle one."""
    if kind == "relation" and garments == 3:
        return (0, 2)[rng.randrange(2)]
    return rng.randrange(garments)


def _of_several(
    scene: Scene, kind: str, position: int, topic: str, unsaid: Sequence[tuple[int, str]], rng: Random
) -> Statement:
    """Draw a caption of a scene with several garments.

    Args:
        scene: the scene.
        kind: of the caption.
        position: of its target.
        topic: the attribute by which it mentions garments.
        unsaid: positions and attributes that other captions leave out, to be mentioned here.
        rng: for the use and the order of the others.
    """
    use = USES[rng.randrange(len(USES))]
    target = scene.garments[position]
    lines = [g.describe([topic, *(a for p, a in unsaid if p == i)]) for i, g in enumerate(scene.garments)]
    rest = _some([i for i in range(len(scene.garments)) if i != position], len(scene.garments) - 1, rng)
    if kind not in ("exclusion", "relation"):
        named = target.silhouette if kind == "redundant" else None
        others = tuple(lines[i] for i in rest)
        return Statement(Message(kind, scene.setting, lines[position], named, others, uses=(use,)), position, use)
    middle = len(scene.garments) // 2
    anchor = middle if len(scene.garments) == 3 else rest[0]
    others = tuple(lines[i] for i in rest if i != anchor)
    side = None if kind == "exclusion" else "left" if position < anchor else "right"
    message = Message(kind, scene.setting, others=others, anchor=lines[anchor], side=side, uses=(use,))
    return Statement(message, position, use)


def _target_of(scene: Scene, message: Message) -> int:
    """Return the position of the garment that a message is about.

    Raises: ValueError where no garment, or more than one, fits.
    """
    fitting = list(range(len(scene.garments)))
    if message.anchor:
        (anchor,) = [i for i, g in enumerate(scene.garments) if g.fits(message.anchor)]
        fitting = [i for i in fitting if i != anchor]
        if message.side is not None:
            fitting = [i for i in fitting if (i < anchor) == (message.side == "left")]
    (target,) = [i for i in fitting if scene.garments[i].fits(message.target)]
    return target
