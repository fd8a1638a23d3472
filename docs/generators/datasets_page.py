"""The documentation's page of datasets, written from the builders."""

from __future__ import annotations

import inspect
from pathlib import Path

from vsebench.cli.components import type_name
from vsebench.core.component import Component
from vsebench.core.registry import DATASETS

HEAD = """# Datasets

<!-- Written by 'python docs/generators/datasets_page.py'. Do not edit. -->

```sh
vsebench data build NAME --from FOLDER [options]   # once; writes one HDF5 file with a fingerprint
vsebench data show NAME                            # counts, labels, text lengths, a contact sheet
vsebench data check NAME                           # reads everything again: fingerprint, images, sounds, splits
```

A builder reads the official files as they come. It decodes every image and sound once to know that it can be, counts
what the publication counts, and tells **every** fault at once, by file and row: missing and corrupt files, ids that
stand twice, captions without image, values out of range. It then stops; `--skip-bad` leaves the bad items out, says how
many, and keeps that in the file. Nothing appears under the final name before it is whole: after an interruption or a
kill the build starts again cleanly. Images and sounds are stored as the bytes they came in (unless
`--resize`); memory does not grow with their number.

A file is sealed when it is built. What it says of its items (labels, splits, texts, ids) is compared with the seal
whenever it is opened, an image, sound or feature when it is read: a file that was changed or damaged gives an error,
never a number. An embedded dataset is then generated again. A file of the first release has no seal; `data check`
compares its content with its fingerprint and seals it.

Options are given as `--min-class-size 50`; `vsebench components dataset NAME` prints them with their meaning.

## What an item may have

| part | in the file | how an experiment uses it |
|--|--|--|
| image, sound | the encoded bytes | any `image_encoder`, `audio_encoder` |
| texts | any number | any `text_encoder`; training draws one an epoch, retrieval ranks all |
| precomputed features | float16 or float32 (N, D) of a modality, N may differ | encoder `features` of the modality |
| label | one, several, or none | classification; relevance of some retrieval protocols |
| split | `train`, `val`, `test`; `rest` for items of named sets only | `rest` is neither trained nor counted on |
| sets | names such as `query`, `gallery`, `database`, `fold_0` | protocols of retrieval and hashing |
| group | items that show the same thing | stay in one split made by rule; are not negatives of each other |
| answers | of a question: what its annotators said, and how many of them | `vqa_accuracy` |
| landmarks, boxes, attributes | arrays in pixels, names and values | kept for components of your own |

## Pixels

Every picture becomes 8-bit RGB in one place (`vsebench/data/pixels.py`), for
builders, training, search and pages alike:

| in the file | read as |
|--|--|
| 16 or 12 bits a channel, unsigned | the upper 8 bits: 65,535 (4,095) is white |
| float | 0.0 is black, 1.0 white; an image with other values, or NaN, is refused |
| signed, or 32-bit integers | refused, since nothing says which value is white: save as 8 or 16 bits |
| transparent pixels, also of palettes | laid on white |
| CMYK, YCbCr, L\\*a\\*b\\*, palettes, 1 bit | converted by Pillow; other colour profiles are ignored |
| EXIF orientation | turned |
| animations, several pages | the first |

Read are JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF, PPM, PCX, SGI, TGA and QOI.

## Sounds

WAV, FLAC, OGG (Vorbis, Opus), AIFF and MP3 of any depth and number of channels are decoded to their end, when they are
built too, and averaged to mono. Floats go from -1 to 1. Refused are sounds that are cut short (a WAV or AIFF shorter
than its header says, an Ogg file without its last page or with a wrong checksum, an MP3 with fewer frames than its tag
counts), without samples, or with NaN.

## Limits

A small file can decode to gigabytes. Headers are compared with these limits before anything is decoded, at build, at
`data check`, in training and for queries; an environment variable changes each:

| variable | default | meaning |
|--|--|--|
| `VSEBENCH_MAX_PIXELS` | 64,000,000 | pixels of a picture; a process decodes at most twice as many at a time |
| `VSEBENCH_MAX_SECONDS` | 3,600 | length of a sound |
| `VSEBENCH_MAX_SAMPLES` | 400,000,000 | samples of a sound, all channels together |
| `VSEBENCH_MAX_SAMPLE_RATE` | 768,000 | samples a second; at least 1,000 |

A larger JPEG that is not progressive is decoded at a half, a quarter or an eighth of its size where that is enough for
`--resize` or the encoder.

## Tables: folder, audio, hub

- **No value**: an empty cell, None, NaN, and the texts nan, null, n/a, <na> (any case), None and NA are no text and no
  label, in CSV, JSON lines, Parquet and tables of the hub. `--missing-values "-,?"` names others.
- **Labels**: 1 and 1.0 are one class, true and false two; -1 is no label beside class names or where the other numbers
  count upwards, a class beside 0 and 1. Numbers with fractions are classes, and that is said: there is no regression.
- **Splits** are those of `--split-column`; by default of `split`, else of the only column whose values are all names of
  splits (train, training; val, valid, validation, dev; test, testing; any case). Without val a tenth of train becomes
  it; without train or test nothing is built. `--split-column=` (an empty name) makes 80/10/10 by rule.
- **A caption a row**: rows of one split that name the same file, or hold the same bytes, and agree in label and group
  are one item with several texts. `--one-item-per row` keeps them apart; where items with the same picture remain, each
  other's texts are relevant (`--relevance group`), so that perfect embeddings reach R@1 = 1.
- What was chosen is printed as a note, and kept in the file.

## Files of others

Only regular files inside the source folder are read: no absolute path, no `..`, no FIFO or device, and no symbolic link
that leads out of it unless `VSEBENCH_FOLLOW_LINKS=1` says that the links are your own. An image, a sound or an item's
features may have 256 MB; `VSEBENCH_MAX_FILE_SIZE=1GB` sets another limit. Parquet cells that name a file, `data_files`
of a README and links in HDF5 files are held to the same.

## Precomputed features

`--features` (of `folder`, `flickr30k`, `flickr8k`, `coco`) takes region features such as those of bottom-up attention:

- a folder with `<id>.npy` or `<id>.npz` (arrays `features`, `feat` or `x`) for each item, (regions, D) or (D,);
- an HDF5 file with a dataset for each id, or `features` with `ids`, and `num_boxes` where regions are padded;
- one `.npy`, `.npz` or `.mat` array (items, regions, D) or (items, D) in the order of the annotation file, its name
  after a colon where there are several: `train.mat:regions`.

`--images=false` leaves the images themselves out.

## Videos

A video is given as its frames: a vector for each, from any frozen encoder, (frames, D) in their order. They are the
tokens of the image side, so that every attention, pooling and fusion takes them; videos may differ in length. vsebench
itself reads no video files. Clips with a caption and a class, from arrays to a board:

<!-- file: frames.py -->
```python
from pathlib import Path

import numpy as np

rng = np.random.default_rng(0)
folder = Path("clips/frames")
folder.mkdir(parents=True)
rows = ["clip,label,caption"]
for n in range(60):
    label = ("opens", "closes")[n % 2]
    door = np.linspace(0, 1, 4 + n % 5)[:: 1 if label == "opens" else -1]  # 4 to 8 frames
    np.save(folder / f"clip{n}.npy", np.stack([door, door**2], 1) + rng.normal(0, 0.1, (len(door), 2)))
    rows.append(f"clip{n},{label},somebody at door {n % 7}")
Path("clips/metadata.csv").write_text("\\n".join(rows) + "\\n")
```

<!-- file: clips.yaml -->
```yaml
experiment: clips
dataset: clips
metrics: [accuracy, "recall@{1,5}"]
select: {metric: val/accuracy}
train: {epochs: 4, batch_size: 16}
systems:
  Mean of frames: {system: vse, dim: 16, image_encoder: features, text_encoder: bow}
  Attention over frames: {system: cim, dim: 16, image_encoder: features, attention: {heads: 2}}
```

<!-- run -->
```sh
python frames.py
vsebench data build clips --from clips --id-column clip --label-column label --text-column caption \\
    --features clips/frames --images=false
vsebench sweep clips.yaml --wandb disabled
```

"""


def page() -> str:
    """Every builder: where to get the files, under which licence, the layout, the options. As Markdown."""
    lines = [HEAD.rstrip("\n"), "", "## Builders", ""]
    for name in DATASETS.names():
        lines += _section(DATASETS.get(name))
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(component: Component) -> list[str]:
    facts = component.facts
    doc = inspect.getdoc(component.target) or ""
    body = doc.split("\nArgs:")[0].split("\n", 1)
    lines = [f"### {component.name}", "", body[0], "", f"- Source: {component.source}"]
    if facts["get"]:
        lines.append(f"- Get it: {facts['get']}")
    if facts["licence"]:
        lines.append(f"- Licence: {facts['licence']}")
    if len(body) > 1 and body[1].strip():
        lines += ["", *inspect.cleandoc(body[1]).strip().replace("``", "`").split("\n")]
    if facts["layout"]:
        lines += ["", "```text", *facts["layout"].split("\n"), "```"]
    lines += ["", "| option | type | default | meaning |", "|--|--|--|--|"]
    meanings = _meanings(doc)
    for option, parameter in component.options.items():
        default = "required" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
        meaning = meanings.get(option, "").replace("|", "\\|").replace("``", "`")
        shown = "`--from`" if option == "source" else f"`--{option.replace('_', '-')}`"
        lines.append(f"| {shown} | {type_name(parameter.annotation)} | {default} | {meaning} |")
    return [*lines, ""]


def _meanings(doc: str) -> dict[str, str]:
    """Option -> what the docstring's Args say of it, on one line."""
    if "\nArgs:\n" not in doc:
        return {}
    results: dict[str, str] = {}
    last = ""
    for line in doc.split("\nArgs:\n")[1].split("\n"):
        if not line.startswith("    "):
            break
        name, colon, rest = line.strip().partition(": ")
        if not line.startswith("     ") and colon:
            last = name
            results[last] = rest
        elif last:
            results[last] += " " + line.strip()
    return results


if __name__ == "__main__":
    target = Path(__file__).parent.parent.parent / "docs" / "datasets.md"
    target.write_text(page(), encoding="utf-8")
    print(f"wrote {target}")
