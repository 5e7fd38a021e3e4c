"""The orientation of a JPEG is found wherever it stands, and damage never fails."""

from __future__ import annotations

import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.checks.inspect_image import inspect_image
from pipelines.data.images.decode import decode
from pipelines.data.images.exif import orientation as orientation_of
from tests.support.pictures import (
    as_a_person_sees,
    encode,
    noise,
)


def turned(orientation: int, *, byte_order: str = "MM", before: bytes = b"") -> bytes:
    """A JPEG whose Exif segment says how the camera was held."""
    little = byte_order == "II"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if little else "big")

    make = number(0x010F, 2) + number(2, 2) + number(2, 4) + b"ab\0\0"
    tag = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2)
    tiff = byte_order.encode() + number(42, 2) + number(8, 4) + number(2, 2)
    exif = b"Exif\0\0" + tiff + make + tag + b"\0\0" + number(0, 4)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    plain = encode(Image.fromarray(noise(24, 40)), "JPEG")
    return plain[:2] + before + segment + plain[2:]


COMMENT = b"\xff\xfe\x00\x07Exif\0"


class TestOrientation:
    @pytest.mark.parametrize("byte_order", ["MM", "II"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_all_eight_are_turned_as_pillow_turns_them(
        self, orientation: int, byte_order: str
    ) -> None:
        content = turned(orientation, byte_order=byte_order)
        found = decode(tf.constant(content)).numpy()
        assert found.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
        assert (found == as_a_person_sees(content)).all()

    def test_in_a_graph_and_behind_another_segment(
        self, decode_in_graph: tf.types.experimental.PolymorphicFunction
    ) -> None:
        content = turned(6, before=COMMENT)
        assert (
            decode_in_graph(tf.constant(content)).numpy() == as_a_person_sees(content)
        ).all()

    @pytest.mark.parametrize(
        "before",
        [
            (b"\xff\xe2\xea\x62" + bytes(0xEA60)) * 5,
            b"\xff",
            b"\xff" * 40,
            COMMENT * 900,
        ],
        ids=["300 kB", "a fill byte", "many fill bytes", "900 segments"],
    )
    def test_orientation_far_behind_is_read(
        self,
        before: bytes,
        decode_in_graph: tf.types.experimental.PolymorphicFunction,
    ) -> None:
        content = turned(6, before=before)
        found = decode_in_graph(tf.constant(content)).numpy()
        assert (found == as_a_person_sees(turned(6))).all()
        inspection = inspect_image(content, suffix=".jpg", maximum_megapixels=50)
        assert "turned by its Exif" in inspection.odd

    def test_what_is_behind_the_segment_is_no_exif(self) -> None:
        """The tags say that they stand where the next segment has others."""
        exif = b"Exif\0\0MM\0*" + (100).to_bytes(4, "big")
        tag = bytes.fromhex("0001 0112 0003 00000001 0006 0000")
        behind = b"\xff\xfe\x00\x80" + tag * 9
        segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
        plain = encode(Image.fromarray(noise(24, 40)), "JPEG")
        content = plain[:2] + segment + behind + plain[2:]
        assert orientation_of(content) == 1

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_what_means_nothing_turns_nothing(self, orientation: int) -> None:
        assert decode(tf.constant(turned(orientation))).shape == (24, 40, 3)

    @pytest.mark.parametrize("cut", range(2, 60, 3))
    def test_damage_to_the_segment_never_fails(self, cut: int) -> None:
        """Lengths and offsets that lie lead nowhere, and the picture is there."""
        content = bytearray(turned(6))
        content[6 + cut % 40] ^= 0xFF
        try:
            shape = decode(tf.constant(bytes(content))).shape
        except tf.errors.InvalidArgumentError:
            pytest.skip("the JPEG itself is damaged")
        assert sorted(shape) == [3, 24, 40]
