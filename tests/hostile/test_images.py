"""Pictures and labels as other programs write them: read right, or left out with a word, never wrong in silence."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from edgebench.export.custom import data
from edgebench.foundation import provenance
from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice, Step
from edgebench.images import catalogue, decode, splits
from edgebench.images.datasets import image_folder
from edgebench.images.loader import Inspected
from edgebench.schema.feed import Input
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Variant, WeightSource
from tests.conftest import variant

LEVELS = numpy.linspace(0, 255, 16 * 16).astype(numpy.uint8).reshape(16, 16)  # a grey ramp from black to white
COLOURS = numpy.stack([LEVELS, LEVELS.T, 255 - LEVELS], axis=2)


def opened(folder: Path | str) -> Variant:
    card = catalogue.adopt(f"image_folder:{folder}")
    of = replace(variant(resolution=8), dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes)
    return replace(of, weights=WeightSource.CUSTOM, classes=card.classes)


def notices(of: Variant) -> list[str]:
    shown = list[Step | Notice]()
    splits.inspect([of], shown.append)
    return [event.text for event in shown if isinstance(event, Notice)]


def names(of: Variant, part: str = "test") -> set[str]:
    images = splits.split(of, part, 3)
    return {images.pictures.name(index) for index in images.kept}


def all_names(of: Variant) -> set[str]:
    return names(of) | names(of, "calibration")


@pytest.fixture
def photos(place: Path) -> Path:
    """Two classes of six pictures, of which no two are alike."""
    for number, name in enumerate(("cat", "dog")):
        (place / "photos" / name).mkdir(parents=True)
        for index in range(6):
            Image.new("RGB", (9, 9), (20 * index, 100 * number, 7)).save(place / "photos" / name / f"{index}.png")
    return place / "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deep:
    """A way to write a ramp of 8 bits in more bits per channel."""

    suffix: str
    values: Callable[[], Image.Image]
    tags: dict[int, object]


def wide(depth: str, scale: int = 257) -> Image.Image:
    return Image.fromarray((LEVELS.astype(numpy.uint32) * scale).astype(depth))


def inverted() -> Image.Image:
    return Image.fromarray(65535 - LEVELS.astype(numpy.uint16) * 257)


DEEP = {
    "png of 16 bits": Deep(suffix="png", values=lambda: wide("<u2"), tags={}),
    "png of 16 bits, shifted": Deep(suffix="png", values=lambda: wide("<u2", 256), tags={}),
    "little-endian tiff": Deep(suffix="tif", values=lambda: wide("<u2"), tags={}),
    "big-endian tiff": Deep(suffix="tif", values=lambda: wide(">u2"), tags={}),
    "tiff in which white is 0": Deep(suffix="tif", values=inverted, tags={262: 0}),
    "pgm of 16 bits": Deep(suffix="pgm", values=lambda: wide("<u2"), tags={}),
    "jpeg 2000 of 16 bits": Deep(suffix="jp2", values=lambda: wide("<u2"), tags={}),
}


def grey(file: Path) -> NDArray[numpy.int64]:
    """Decode a picture; its three channels are to be the same."""
    pixels = numpy.asarray(decode.decode(file)).astype(numpy.int64)
    assert pixels.shape == (*LEVELS.shape, 3)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("kind", DEEP)
def test_the_same_picture_in_8_and_in_more_bits_is_the_same_within_one_level(kind: str, place: Path) -> None:
    deep, file = DEEP[kind], place / f"deep.{DEEP[kind].suffix}"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in deep.tags.items():
        tags[tag] = value
    how: dict[str, Any] = {"tiffinfo": tags} if deep.tags else {}
    deep.values().save(file, **how)
    assert abs(grey(file) - LEVELS).max() <= 1
    assert decode.inspect(file).remarks == (decode.SCALED,)


def test_a_tiff_of_12_bits_is_scaled_by_12_bits(place: Path) -> None:
    pairs = (LEVELS.astype(int) * 4095 // 255).reshape(-1, 2).tolist()
    packed = b"".join(((first << 12) | second).to_bytes(3, "big") for first, second in pairs)
    tags = {256: 16, 257: 16, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 16, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    (place / "x.tif").write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + packed)
    assert abs(grey(place / "x.tif") - LEVELS).max() <= 1


def test_a_colour_of_16_bits_is_the_colour_of_8(place: Path) -> None:
    pixels = (COLOURS.astype(numpy.uint16) * 257).astype(">u2").tobytes()
    (place / "x.ppm").write_bytes(b"P6 16 16 65535\n" + pixels)
    assert abs(numpy.asarray(decode.decode(place / "x.ppm")).astype(int) - COLOURS).max() <= 1


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("depth", "reason"),
    [("<i4", "signed or 32-bit integers without a known range"), ("<f4", "floating point without a known range")],
)
def test_a_picture_without_a_known_range_is_left_out_with_the_reason(depth: str, reason: str, photos: Path) -> None:
    Image.fromarray(LEVELS.astype(depth)).save(photos / "cat" / "odd.tif")
    of = opened(photos)
    assert notices(of) == [
        f"image_folder:photos: 1 of 13 images cannot be read and are left out: cat/odd.tif ({reason})"
    ]
    assert len(all_names(of)) == 12


def test_signed_levels_of_8_bits_are_left_out_too(photos: Path) -> None:
    file = photos / "cat" / "signed.tif"
    Image.new("L", (8, 8)).save(file, tiffinfo={decode.SAMPLE_FORMAT: decode.SIGNED})
    assert decode.inspect(file).reason == "signed or 32-bit integers without a known range"


BROWN, LIGHT = (200, 100, 50), (124, 124, 124)  # of that brightness
EIGHT_BITS: dict[str, tuple[str, Callable[[Image.Image], Image.Image], tuple[int, int, int]]] = {
    "1": ("png", lambda image: image.point(lambda _: 255).convert("1"), (255, 255, 255)),
    "L": ("png", lambda image: image.convert("L"), LIGHT),
    "LA": ("png", lambda image: image.convert("LA"), LIGHT),
    "P": ("gif", lambda image: image.quantize(), BROWN),
    "PA": ("tif", lambda image: image.quantize().convert("PA"), BROWN),
    "RGB": ("bmp", lambda image: image, BROWN),
    "RGBA": ("png", lambda image: image.convert("RGBA"), BROWN),
    "CMYK": ("tif", lambda image: image.convert("CMYK"), BROWN),
    "CMYK of a jpeg": ("jpg", lambda image: image.convert("CMYK"), BROWN),
    "YCbCr": ("tif", lambda image: image.convert("YCbCr"), BROWN),
    "LAB": ("tif", lambda image: image.convert("LAB"), BROWN),
}


@pytest.mark.parametrize("mode", EIGHT_BITS)
def test_a_picture_of_8_bits_keeps_its_colour_in_every_mode(mode: str, place: Path) -> None:
    suffix, convert, seen = EIGHT_BITS[mode]
    convert(Image.new("RGB", (16, 16), BROWN)).save(place / f"x.{suffix}")
    pixels = numpy.asarray(decode.decode(place / f"x.{suffix}")).astype(int)
    assert pixels.shape == (16, 16, 3)
    assert abs(pixels - seen).max() <= 2
    assert decode.inspect(place / f"x.{suffix}") == Inspected()


def see_through(mode: str) -> tuple[Image.Image, dict[str, Any]]:
    """Left half opaque black, right half transparent over a hidden black; and how to save it."""
    alpha = Image.new("L", (16, 16), 0)
    alpha.paste(255, (0, 0, 8, 16))
    if mode in ("LA", "RGBA"):
        image = Image.new(mode, (16, 16))
        image.putalpha(alpha)
        return image, {}
    image = Image.new("L" if mode == "I;16" else mode, (16, 16), (0, 0, 3) if mode == "RGB" else 3)
    image.paste((0, 0, 0) if mode == "RGB" else 0, (0, 0, 8, 16))
    if mode == "P":
        image.putpalette([0, 0, 0] * 4)
        return image, {"transparency": bytes([255, 255, 255, 0])}
    if mode == "I;16":
        return Image.fromarray(numpy.asarray(image).astype(numpy.uint16)), {"transparency": 3}
    return image, {"transparency": (0, 0, 3) if mode == "RGB" else 3}


@pytest.mark.lengthy
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB", "I;16"])
def test_a_transparent_picture_lies_on_white_and_that_is_counted(mode: str, photos: Path) -> None:
    image, how = see_through(mode)
    image.save(photos / "cat" / "odd.png", **how)
    pixels = numpy.asarray(decode.decode(photos / "cat" / "odd.png"))
    assert (pixels[:, :8].max(), pixels[:, 8:].min()) == (0, 255)
    (notice,) = notices(opened(photos))
    assert notice.startswith("image_folder:photos: of 13 images, 1 have ")
    assert notice.endswith(f"1 {decode.ON_WHITE}")


def test_a_picture_larger_than_the_bound_is_left_out_with_the_reason_and_no_warning(
    photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, side in (("large", 10_000), ("huge", 20_000)):
        (photos / "cat" / f"{name}.pgm").write_bytes(f"P5 {side} {side} 255\n".encode())
    assert notices(opened(photos)) == [
        "image_folder:photos: 2 of 14 images cannot be read and are left out: cat/huge.pgm (more than 89 million"
        " pixels), cat/large.pgm (more than 89 million pixels)"
    ]
    assert capfd.readouterr().err == ""


@pytest.mark.lengthy
def test_what_a_former_decoder_saw_is_looked_at_again(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = opened(photos)
    assert notices(of) == []
    monkeypatch.setattr(image_folder.Files, "inspect", lambda _, part: [Inspected(is_damaged=True)] * len(part))
    assert notices(of) == []
    monkeypatch.setattr(catalogue, "_decoder", lambda: "other")
    assert "12 of 12 images cannot be read" in notices(of)[0]


STORED = {  # how a camera stores an upright picture that it calls by this orientation
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}
UPRIGHT = numpy.zeros((16, 32, 3), numpy.uint8)
UPRIGHT[:8, :16], UPRIGHT[:8, 16:], UPRIGHT[8:, :16] = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[decode.ORIENTATION] = orientation
    return tags


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_as_its_exif_says(orientation: int, suffix: str, place: Path) -> None:
    stored, file = Image.fromarray(numpy.ascontiguousarray(STORED[orientation](UPRIGHT))), place / f"x.{suffix}"
    stored.save(file, exif=exif(orientation), quality=100)
    pixels = numpy.asarray(decode.decode(file)).astype(int)
    assert pixels.shape == UPRIGHT.shape
    assert abs(pixels - UPRIGHT).mean() < 12
    assert decode.inspect(file).remarks == ((decode.TURNED,) if orientation > 1 else ())


@pytest.mark.parametrize(("depth", "scale"), [("u1", 1), ("<u2", 257)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_pictures_fed_to_other_models_are_seen_alike(depth: str, scale: int, orientation: int, place: Path) -> None:
    """An orientation of 6: the camera was turned, and the file's first row is the picture's right column."""
    exif = Image.Exif()
    exif[decode.ORIENTATION] = orientation
    levels = LEVELS if orientation == 1 else numpy.rot90(LEVELS)
    Image.fromarray(numpy.ascontiguousarray(levels).astype(depth) * scale).save(place / "x.png", exif=exif)
    fed = data.of_pictures(Input(name="x", dtype="uint8", shape=(1, 1, 16, 16), low=0, high=255), [place / "x.png"])
    assert numpy.abs(fed[0, 0].astype(int) - LEVELS).max() <= 1


def test_a_grey_picture_of_16_bits_is_turned_too(place: Path) -> None:
    upright = wide("<u2").crop((0, 0, 16, 9))
    upright.transpose(Image.Transpose.ROTATE_90).save(place / "x.png", exif=exif(6))
    assert (numpy.asarray(decode.decode(place / "x.png"))[..., 0] == LEVELS[:9]).all()


@pytest.mark.lengthy
@pytest.mark.parametrize("torn", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff"])
def test_a_picture_whose_exif_is_torn_is_read_as_it_lies_and_without_a_warning(torn: bytes, place: Path) -> None:
    Image.fromarray(UPRIGHT).save(place / "x.jpg", exif=torn)
    program = "from edgebench.images.decode import *; print(decode('x.jpg').size, inspect('x.jpg') == Inspected())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("(32, 16) True\n", "")


@pytest.mark.parametrize("orientation", [0, 9, 300, -1])
def test_an_orientation_that_is_none_changes_nothing(orientation: int, place: Path) -> None:
    tags = Image.Exif()
    tags[decode.ORIENTATION] = orientation % 65536
    Image.fromarray(UPRIGHT).save(place / "x.jpg", exif=tags)
    assert decode.decode(place / "x.jpg").size == (32, 16)


def test_pictures_that_are_turned_are_counted(photos: Path) -> None:
    for index in range(3):
        Image.new("RGB", (9, 5), (index, 5, 9)).save(photos / "dog" / f"turned{index}.jpg", exif=exif(6))
    assert notices(opened(photos)) == [f"image_folder:photos: of 15 images, 3 {decode.TURNED}"]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_several_frames_the_first_is_used_and_that_is_said(suffix: str, place: Path) -> None:
    frames = [Image.new("RGB", (16, 16), (0, 0, level)) for level in (255, 120, 60)]
    frames[0].save(place / f"x.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    assert decode.decode(place / f"x.{suffix}").getpixel((5, 5)) == (0, 0, 255)
    assert decode.inspect(place / f"x.{suffix}").remarks == (decode.FIRST_FRAME,)


def test_the_pixels_kept_before_a_change_of_decoding_are_not_used(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = opened(photos)
    before = splits.split(of, "test", 3).memory
    monkeypatch.setattr(provenance, "source", lambda *modules: "changed" if "images/decode" in modules else "")
    assert splits.split(of, "test", 3).memory != before


READ = (
    *("a.JPG", "b.Jpeg", "c.jpe", "d.jfif", "e.PNG", "f.webp", "g.WEBP", "h.bmp", "i.BMP", "j.tif", "k.TIFF", "l.gif"),
    *("m.GIF", "n.avif", "o.jp2", "p.ppm", "q.pgm", "r.pbm", "s.pnm", "t.tga"),
)


@pytest.mark.lengthy
@pytest.mark.parametrize("name", READ)
def test_a_picture_is_used_whatever_its_suffix_and_its_case(name: str, photos: Path) -> None:
    image = Image.new("1" if name.endswith("pbm") else "RGB", (16, 16), 1)
    with (photos / "dog" / name).open("wb") as stream:
        image.save(stream, Image.registered_extensions()[Path(name).suffix.lower()])
    of = opened(photos)
    assert notices(of) == []
    assert f"dog/{name}" in all_names(of)


def test_files_of_other_suffixes_are_counted_and_named(photos: Path) -> None:
    for name in ("a.npy", "b.NPY", "c.heic", "README", "d.txt", "e.csv"):
        (photos / "cat" / name).write_bytes(b"x")
    assert notices(opened(photos)) == [
        "image_folder:photos: 6 of 18 files are not readable images and are left out: 2 .npy, 1 .csv, 1"
        " .heic, 1 .txt, 1 without a suffix"
    ]


JUNK = (
    *(".DS_Store", "cat/Thumbs.db", "cat/desktop.ini", "cat/._0.png", "dog/.gitkeep"),
    *("__MACOSX/cat/0.png", "@eaDir/0.png", ".hidden/0.png", "cat/.cache/x.png"),
)


def test_what_a_system_leaves_behind_is_neither_read_nor_counted(photos: Path) -> None:
    before = opened(photos)
    for name in JUNK:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"x")
    after = opened(photos)
    assert (notices(after), after) == ([], before)


LOOPS = {"c3/loop": "..", "loop": ".", "cat/self": "../cat", "cat/deep/up": "../..", "dog/cat": "../cat"}


@pytest.mark.lengthy
@pytest.mark.parametrize("link", LOOPS)
def test_a_link_that_leads_back_counts_no_picture_twice(link: str, photos: Path) -> None:
    (photos / "dog").rename(photos / "c3")
    (photos / "dog").symlink_to("c3")
    of = opened(photos)
    (photos / link).parent.mkdir(parents=True, exist_ok=True)
    (photos / link).symlink_to(LOOPS[link])
    (notice,) = notices(looped := opened(photos))
    assert "2 names are links to files already counted, and are not counted again: " in notice
    assert (len(all_names(looped)), looped) == (12, of)


def test_all_that_leads_to_one_file_counts_once_by_its_real_name(photos: Path, place: Path) -> None:
    (photos / "cat" / "again.png").symlink_to("0.png")
    (photos / "cat" / "hard.png").hardlink_to(photos / "cat" / "1.png")
    (photos / "cat" / "0.png").rename(photos / "cat" / "z.png")
    (photos / "cat" / "again.png").unlink()
    (photos / "cat" / "again.png").symlink_to("z.png")
    of = opened(photos)
    assert notices(of) == [
        "image_folder:photos: 2 names are links to files already counted, and are not counted again:"
        " cat/again.png is cat/z.png, cat/hard.png is cat/1.png"
    ]
    assert len(all_names(of)) == 12


def test_links_out_of_the_folder_are_followed(photos: Path, place: Path) -> None:
    (photos / "dog").rename(place / "elsewhere")
    (photos / "dog").symlink_to(place / "elsewhere")
    (place / "pool.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    (photos / "cat" / "0.png").unlink()
    (photos / "cat" / "0.png").symlink_to(place / "pool.png")
    of = opened(photos)
    assert notices(of) == []
    assert all_names(of) == {f"{name}/{index}.png" for name in ("cat", "dog") for index in range(6)}


def test_links_to_nothing_are_named(photos: Path) -> None:
    (photos / "cat" / "gone.png").symlink_to("nowhere.png")
    (photos / "bird").symlink_to("nowhere")
    (photos / "round").symlink_to("round")
    assert notices(opened(photos)) == [
        "image_folder:photos: 2 of 15 files are not readable images and are left out: 1 link to nothing, bird,"
        " 1 link to nothing, round",
        "image_folder:photos: 1 of 13 images cannot be read and are left out: cat/gone.png",
    ]


def test_what_is_no_regular_file_is_not_waited_for(photos: Path) -> None:
    os.mkfifo(photos / "cat" / "pipe.png")
    (notice,) = notices(opened(photos))
    assert notice.endswith("1 of 13 files are not readable images and are left out: 1 not a regular file")


def test_a_folder_beside_train_and_val_is_named(photos: Path, place: Path) -> None:
    for part in ("train", "val", "test"):
        shutil.copytree(photos, place / "both" / part)
        Image.new("RGB", (5, 5)).save(place / "both" / part / "cat" / "0.png")
    assert "image_folder:both: only train and val are read; other folders beside them are ignored: test" in notices(
        opened("both")
    )


PICTURES = ("a.png", "b.png", "c d.png", 'e"f.png')


def flat(place: Path, text: str | bytes, file: str = "labels.txt", **lists: str) -> Path:
    """Pictures beside a file that lists their labels, and files that list classes."""
    (place / "flat").mkdir()
    for index, name in enumerate(PICTURES):
        Image.new("RGB", (9, 9), (index, 50, 90)).save(place / "flat" / name)
    (place / "flat" / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, lines in lists.items():
        (place / "flat" / f"{name}.txt").write_text(lines)
    return place / "flat"


def labels(of: Variant) -> dict[str, int]:
    parts = [splits.split(of, part, 3) for part in ("test", "calibration")]
    return {
        images.pictures.name(index): int(label)
        for images in parts
        for index, label in zip(images.kept, images.labels, strict=True)
    }


PLAIN = 'a.png 0\nb.png 1\nc d.png 2\ne"f.png 1\n'
WRITTEN = {
    "as everybody does": PLAIN,
    "with a byte order mark": "\ufeff" + PLAIN,
    "on Windows": PLAIN.replace("\n", "\r\n"),
    "on Windows, with a byte order mark": "\ufeff" + PLAIN.replace("\n", "\r\n"),
    "on an old Macintosh": PLAIN.replace("\n", "\r"),
    "with blanks at the ends of lines": PLAIN.replace("\n", " \t \n"),
    "with blanks before names": "  " + PLAIN.replace("\n", "\n  "),
    "with empty lines": PLAIN.replace("\n", "\n\n \n"),
    "without an end of its last line": PLAIN.rstrip(),
    "with tabs": PLAIN.replace(" 0", "\t0").replace(" 1", "\t1").replace(" 2", "\t2"),
    "with tabs and blanks": PLAIN.replace(" 0", " \t 0").replace(" 1", "\t\t1").replace(" 2", "\t2\t"),
    "in quotes": '"a.png" "0"\n"b.png" 1\n"c d.png"   2\ne"f.png "1"\n',
    "in another order": "".join(reversed(PLAIN.splitlines(keepends=True))),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_labels_are_the_same_however_they_were_written(way: str, place: Path) -> None:
    of = opened(flat(place, WRITTEN[way]))
    assert labels(of) == {"a.png": 0, "b.png": 1, "c d.png": 2, 'e"f.png': 1}
    assert (of.dataset_classes, notices(of)) == (3, [])


@pytest.mark.parametrize("between", ["\t", ' "'])
def test_the_name_of_a_class_may_have_blanks(between: str, place: Path) -> None:
    end = '"' if '"' in between else ""
    classes = ("grey owl", "great white shark", "cat", "grey owl")
    lines = (f"{name}{between}{label}{end}" for name, label in zip(PICTURES, classes, strict=True))
    of = opened(flat(place, "\n".join(lines)))
    assert labels(of) == {"a.png": 2, "b.png": 1, "c d.png": 0, 'e"f.png': 2}


REFUSED = {
    'a.png 0\nb.png 1\nc d.png 2\ne"f.png 1\na.png 1\n': r"labels.txt:5: a.png is named in line 1, too; remove one",
    'a.png 0\n\na.png 0\nb.png 1\nc d.png 2\ne"f.png 1\n': r"labels.txt:3: a.png is named in line 1, too",
    'a.png -1\nb.png 1\nc d.png 2\ne"f.png 1\n': "a.png has label -1, wanted 0 to 2; correct it",
    'a.png 100000\nb.png 1\nc d.png 2\ne"f.png 1\n': "a.png has label 100000, wanted 0 to 99999; correct it",
    f'a.png {"9" * 5000}\nb.png 1\nc d.png 2\ne"f.png 1\n': "wanted whole numbers from 0 as classes, or names, found",
    'a.png 0.0\nb.png 1.0\nc d.png 10.0\ne"f.png 2.0\n': "whole numbers from 0 as classes, or names, found 0.0; corr",
    'a.png +0\nb.png +1\nc d.png +2\ne"f.png +1\n': "whole numbers from 0 as classes, or names, found",
    'a.png 0\nb.png 5\nc d.png cat\ne"f.png 1\n': "whole numbers from 0 as classes, or names, found 0 and cat; correct",
    'a.png\nb.png 1\nc d.png 2\ne"f.png 1\n': "labels.txt:1: wanted an image's name and its class, found 'a.png'",
    'a.png\t0\t7\nb.png 1\nc d.png 2\ne"f.png 1\n': "labels.txt:1: wanted an image's name and its class",
    'name label\na.png 0\nb.png 1\nc d.png 2\ne"f.png 1\n': "name is listed there but not in the folder",
    "a.png 0\nb.png 1\n": 'c d.png has no label; names that do not match: 2',
    "cat\ndog\n": "labels.txt:1: wanted an image's name and its class, found 'cat'",
    'a.png 0x0\nb.png 0x1\nc d.png 0x10\ne"f.png 0x2\n': "whole numbers from 0 as classes, or names, found 0x0; cor",
    'a.png ⁰\nb.png ¹\nc d.png ²\ne"f.png ¹\n': "whole numbers from 0 as classes, or names, found ⁰; correct",
    'a.png,0\nb.png,1\nc d.png,2\ne"f.png,1\n': "labels.txt:1: wanted an image's name and its class, found 'a.png,0'",
    '.\\a.png 0\nb.png 1\nc d.png 2\ne"f.png 1\n': r"\.\\a.png is listed there but not in the folder",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_labels_that_are_not_clear_are_refused_in_one_line(text: str, place: Path) -> None:
    with pytest.raises(RequestError, match=REFUSED[text]) as caught:
        opened(flat(place, text))
    assert "\n" not in str(caught.value)


def test_two_files_that_state_different_labels_are_refused(place: Path) -> None:
    folder = flat(place, PLAIN)
    (folder / "val.txt").write_text(PLAIN.replace("0", "1"))
    with pytest.raises(RequestError, match="labels.txt and val.txt state different classes of the images; remove the"):
        opened(folder)


def test_two_files_that_state_the_same_labels_in_another_order_are_accepted(place: Path) -> None:
    folder = flat(place, PLAIN)
    (folder / "val.txt").write_text("\n".join(reversed(PLAIN.replace(" 1", "\t1").splitlines())))
    assert labels(opened(folder))["c d.png"] == 2


def test_a_label_beyond_the_classes_of_a_list_is_refused(place: Path) -> None:
    with pytest.raises(RequestError, match="val.txt: c d.png has label 2, wanted 0 to 1; correct it"):
        opened(flat(place, PLAIN, "val.txt", labels="cat\ndog\n"))


def test_a_list_of_classes_beside_the_labels_of_pictures_is_told_from_them(place: Path) -> None:
    of = opened(flat(place, PLAIN, "val.txt", labels="cat\ngreat dane\ngreat owl\nbird\n"))
    assert (of.dataset_classes, labels(of)["c d.png"]) == (4, 2)


LISTED = {
    "in order": "dog\ncat\n",
    "with a byte order mark, on Windows": "\ufeffdog\r\ncat\r\n",
    "with what they are": "dog Canis familiaris\ncat Felis catus\n",
    "with what they are, between tabs": "dog\tCanis familiaris\ncat\tFelis catus\n",
    "numbered from 0": "0 dog\n1 cat\n",
    "numbered from 1": "1 dog\n2 cat\n",
    "numbered with colons": "0: dog\n1: cat\n",
    "numbered, in another order": "1 cat\n0 dog\n",
    "with empty lines": "dog\n\ncat  \n\n",
    "with one without pictures": "dog\ncat\nbird\n",
}


@pytest.mark.lengthy
@pytest.mark.parametrize("file", ["classes.txt", "labels.txt", "synset_words.txt"])
@pytest.mark.parametrize("way", LISTED)
def test_the_order_of_classes_is_the_listed_one_however_it_was_written(way: str, file: str, photos: Path) -> None:
    (photos / file).write_text(LISTED[way])
    of = opened(photos)
    assert {name[:3]: label for name, label in labels(of).items()} == {"dog": 0, "cat": 1}
    assert notices(of) == []


@pytest.mark.lengthy
@pytest.mark.parametrize("listed", ["great white shark\ngreat dane\n", "0 great white shark\n1 great dane\n"])
def test_a_listed_class_may_have_blanks_in_its_name(listed: str, photos: Path) -> None:
    (photos / "cat").rename(photos / "great dane")
    (photos / "dog").rename(photos / "great white shark")
    (photos / "labels.txt").write_text(listed)
    assert {name[:7]: label for name, label in labels(opened(photos)).items()} == {"great w": 0, "great d": 1}


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("dog\n\ncat\ndog\n", "classes.txt:4: class dog is named in line 1, too; remove one"),
        ("dog\nbird\n", "class cat is not in classes.txt; add it there, in its position"),
        ("0 dog\n2 cat\n", "class cat is not in classes.txt; add it there, in its position"),
        ("cat 1\ndog 0\n", "lines such as 'cat 1' can be read in two ways; leave only one name on each line"),
        ("cat 2\ndog 1\n", "lines such as 'cat 2' can be read in two ways; leave only one name on each line"),
    ],
)
def test_lists_of_classes_that_cannot_be_are_refused(listed: str, message: str, photos: Path) -> None:
    (photos / "classes.txt").write_text(listed)
    with pytest.raises(RequestError, match=message):
        opened(photos)


@pytest.mark.lengthy
@pytest.mark.parametrize("left", [(), (".gitkeep",), (".DS_Store", "Thumbs.db")])
def test_an_empty_class_folder_keeps_its_place_and_is_named(left: tuple[str, ...], photos: Path) -> None:
    (photos / "cow").mkdir()
    for name in left:
        (photos / "cow" / name).write_bytes(b"x")
    of = opened(photos)
    assert {name[:3]: label for name, label in labels(of).items()} == {"cat": 0, "dog": 2}
    assert of.dataset_classes == 3
    assert notices(of) == ["image_folder:photos: 1 class has no image; every class keeps its number: cow"]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("classes", "notice"),
    [
        (("2", "10"), "sort them as text, 10 before 2: if your model was trained so, list that order in a classes.txt"),
        (("-1", "0"), "sort them as text, -1 before 0: if your model was trained so, list that order in a classes.txt"),
        (("Cat", "cat"), "'Cat', 'cat' are different classes, although their names differ only in case or blanks"),
        (("cat", "cat "), "'cat', 'cat ' are different classes, although their names differ only in case or blanks"),
    ],
)
def test_classes_that_another_program_numbers_otherwise_are_reported(
    classes: tuple[str, ...], notice: str, photos: Path
) -> None:
    (photos / "dog").rename(photos / "new")
    (photos / "cat").rename(photos / classes[0])
    (photos / "new").rename(photos / classes[1])
    (said,) = notices(opened(photos))
    assert said.endswith(notice)


def test_an_order_that_is_listed_is_not_reported(photos: Path) -> None:
    (photos / "cat").rename(photos / "10")
    (photos / "dog").rename(photos / "2")
    (photos / "classes.txt").write_text("10\n2\n")
    assert notices(opened(photos)) == []


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "valid"), ("training", "validation")])
def test_parts_of_a_data_set_are_not_its_classes(parts: tuple[str, ...], photos: Path, place: Path) -> None:
    for part in parts:
        shutil.copytree(photos, place / "whole" / part)
    with pytest.raises(
        RequestError, match=r"found \w+ and \w+; rename the folder to test on to val, or give one folder"
    ):
        opened(place / "whole")


def test_a_folder_of_other_files_is_no_class(photos: Path) -> None:
    (photos / "boxes").mkdir()
    (photos / "boxes" / "0.xml").write_text("")
    with pytest.raises(RequestError, match="found no image in class folder boxes; fill it or remove it"):
        opened(photos)


def test_class_folders_of_very_long_numbers_are_sorted_without_a_traceback(photos: Path) -> None:
    (photos / "cat").rename(photos / ("9" * 200))
    (photos / "dog").rename(photos / "10")
    assert {len(name.split("/")[0]): label for name, label in labels(opened(photos)).items()} == {2: 0, 200: 1}


def both(photos: Path, place: Path) -> Path:
    """Folders to train and to test on that share no picture."""
    shutil.copytree(photos, place / "both" / "train")
    for name in ("cat", "dog"):
        (place / "both" / "val" / name).mkdir(parents=True)
        for index in range(3):
            image = Image.new("RGB", (7, 7), (index, len(name), ord(name[0])))
            image.save(place / "both" / "val" / name / f"{index}.png")
    return place / "both"


@pytest.mark.lengthy
@pytest.mark.parametrize("name", ["cat/other.png", "dog/0.png"])
def test_identical_pictures_to_train_and_to_test_on_are_counted_and_named(name: str, photos: Path, place: Path) -> None:
    folder = both(photos, place)
    assert notices(opened(folder)) == []
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "val" / name)
    count = len(list((folder / "val").rglob("*.png")))
    said = f"1 of {count} images to test on are identical to images to train or calibrate on: val/{name}"
    assert notices(opened(folder)) == [f"image_folder:both: {said}"]


@pytest.mark.lengthy
def test_a_link_from_one_part_to_the_other_is_such_a_leak(photos: Path, place: Path) -> None:
    folder = both(photos, place)
    shutil.rmtree(folder / "val")
    (folder / "val").symlink_to("train")
    assert "12 of 12 images to test on are identical to images to train or calibrate on" in notices(opened(folder))[0]


def test_identical_pictures_of_one_folder_are_a_leak_where_one_of_them_is_set_aside(photos: Path) -> None:
    for file in list(photos.rglob("*.png")):
        shutil.copy(file, file.with_name(f"copy{file.name}"))
    (notice,) = notices(opened(photos))
    assert "2 of 22 images to test on are identical to images to train or calibrate on: " in notice


def test_damaged_pictures_are_no_leak(photos: Path, place: Path) -> None:
    folder = both(photos, place)
    for part in ("train", "val"):
        (folder / part / "cat" / "broken.png").write_bytes(b"x")
    (notice,) = notices(opened(folder))
    assert "2 of 20 images cannot be read" in notice


def test_images_without_labels_are_calibrated_and_compared_on_and_that_is_no_leak(photos: Path) -> None:
    card = catalogue.adopt(f"unlabelled:{photos}")
    quantized = replace(opened(photos), dataset=card.name, dataset_sha256=card.sha256, quantization=Quantization())
    assert notices(quantized) == []
