"""The offline digits: images like MNIST's, drawn by code from a seed.

They are for running everything where MNIST can't be had. They have MNIST's
shapes, counts, class frequencies and conventions; results on them are not
results on MNIST.

A digit is drawn in five steps. A *skeleton*, one of the ways in which people
write the digit, and a *pen* are chosen; the skeleton is *deformed*, as no hand
draws the same line twice; it is scaled to MNIST's *box*, with room for the pen; its
ink is *centred* as MNIST's is; and what the pen leaves, pressing more or less,
is *rastered* to 28 by 28 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicHermiteSpline

# How many images of each digit MNIST has.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)

IMAGE_SIDE = 28  # pixels
BOX_SIDE = 19.8  # pixels; the longer side of the ink, MNIST's is 20
CENTER = 14.0  # pixels from the edge; where MNIST has the centre of mass
NUM_SAMPLES = 72  # of the pen's path; enough for gaps under half a pixel
INK_REACH = 0.75  # pixels; deviation of the blur that turns samples into a line
BATCH_SIZE = 250  # images drawn at once; larger batches fall out of the cache


Digits = tuple[float, ...]


@dataclass(frozen=True)
class Hand:
    """How differently people write: the settings of the drawing.

    ``mess`` was matched to how well an MLP learns the digits, all else to the look of
    MNIST's training images. Lengths are in skeleton units, in which a digit is 1 high,
    unless they say pixels. ``spread`` settings are standard deviations; ``of_digit``
    settings have a value for each digit.
    """

    habit: float = 1.2  # power of the skeletons' weights: common ways are chosen more often

    mess: float = 0.64  # factor on points, waves, width; its root on slant, turn
    mess_spread: float = 0.35  # of its logarithm: some hands are neat, some messy
    mess_limit: float = 1.3  # beyond it, digits can't be read
    jitter: float = 0.042  # spread of each control point
    end_jitter: float = 1.5  # factor on it where a stroke begins or ends
    warp: float = 0.055  # spread of the height of two waves that bend the whole digit
    warp_of_digit: Digits = (1, 0.5, *(1,) * 8)  # factor; a one bent more is no one any more
    warp_frequency: float = 3.5  # spread of those waves' wave number, radians
    width_spread: float = 0.22  # of the logarithm of width over height
    width_of_digit: Digits = (1.0, 1.0, 0.98, 0.93, 0.88, 1.03, 0.92, 0.92, 0.97, 0.87)
    width_spread_of_digit: Digits = (1.3, 1.3, *(1,) * 8)  # factor: 0 and 1 vary more
    slant: float = 0.18  # mean shear to the right: most people are right-handed
    slant_spread: float = 0.30
    slant_limit: float = 0.5
    slant_of_digit: Digits = (0.03, 0.08, -0.1, -0.08, 0.0, 0.02, 0.0, -0.05, -0.04, 0.02)
    turn_spread: float = 0.18  # radians
    pen: float = 1.25  # mean radius of the pen, pixels
    pen_spread: float = 0.27  # of its logarithm
    # Factor: MNIST was scaled to a box, so what is narrow or small came out thicker.
    pen_of_digit: Digits = (1.12, 1.12, *(1,) * 7, 0.95)
    pen_spread_of_digit: Digits = (1, 1.35, *(1,) * 8)  # factor
    pen_least: float = 0.7  # pixels
    pen_most_of_digit: Digits = (2.5, 3.0, *(2.5,) * 8)  # pixels
    pressure: float = 0.35  # spread of the logarithm of the ink along a stroke
    gap_share: float = 0.03  # of the images, in which the pen lifts for a moment
    gap_length: float = 0.08  # of the path
    rough: float = 0.12  # spread of each pixel's distance to the edge, pixels


class Skeleton(NamedTuple):
    """One way to write a digit, ready to be drawn.

    Attributes
    ----------
    weight : float
        How often it is chosen, relative to the digit's others.
    points : numpy.ndarray
        Control points, float64 ``(k, 2)``: x to the right, y downwards.
    basis : numpy.ndarray
        float64 ``(NUM_SAMPLES + 1, k)``; times the control points it gives the
        pen's path.
    pen_down : numpy.ndarray
        float64 ``(NUM_SAMPLES,)``; 0 where the path between two samples is a
        lift of the pen, else 1.
    is_end : numpy.ndarray
        bool ``(k, 1)``; whether a stroke begins or ends at the point.
    """

    weight: float
    points: np.ndarray
    basis: np.ndarray
    pen_down: np.ndarray
    is_end: np.ndarray


def draw_digits(
    counts: tuple[int, ...], rng: np.random.Generator, hand: Hand | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw so many images of each digit, in random order.

    Parameters
    ----------
    counts
        How many images of the digits 0 to 9.
    rng
        Where all chance comes from.
    hand
        How differently people write; the defaults if None.

    Returns
    -------
    images : numpy.ndarray
        uint8, ``(sum(counts), 28, 28)``; 0 is paper, 255 is ink.
    labels : numpy.ndarray
        uint8, ``(sum(counts),)``.
    """
    hand = hand or Hand()
    labels = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), counts))
    images = np.empty((len(labels), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    for digit, skeletons in load_skeletons().items():
        places = np.flatnonzero(labels == digit)
        weights = np.array([skeleton.weight for skeleton in skeletons]) ** hand.habit
        chosen = rng.choice(len(skeletons), len(places), p=weights / weights.sum())
        for index, skeleton in enumerate(skeletons):
            mine = places[chosen == index]
            for start in range(0, len(mine), BATCH_SIZE):
                batch = mine[start : start + BATCH_SIZE]
                images[batch] = _draw(skeleton, digit, len(batch), rng, hand)
    return images, labels


def _draw(
    skeleton: Skeleton, digit: int, count: int, rng: np.random.Generator, hand: Hand
) -> np.ndarray:
    """Draw one skeleton ``count`` times; uint8 ``(count, 28, 28)``."""
    radius = _choose_pen(digit, count, rng, hand)
    path = _deform(skeleton, digit, count, rng, hand)
    path = _fit_box(path, BOX_SIDE - 2 * radius)
    ink = np.linalg.norm(np.diff(path, axis=1), axis=2) * skeleton.pen_down
    middles = _center((path[:, 1:] + path[:, :-1]) / 2, ink)
    rough = rng.standard_normal((count, IMAGE_SIDE, IMAGE_SIDE), np.float32) * hand.rough
    return _raster(middles, ink * _pressure(count, rng, hand), radius, rough)


def _deform(
    skeleton: Skeleton, digit: int, count: int, rng: np.random.Generator, hand: Hand
) -> np.ndarray:
    """Write the skeleton as different hands would; ``(count, NUM_SAMPLES + 1, 2)``."""
    mess = hand.mess * np.exp(rng.normal(0, hand.mess_spread, (count, 1, 1)))
    mess = np.minimum(mess, hand.mess_limit)
    jitter = hand.jitter * np.where(skeleton.is_end, hand.end_jitter, 1) * mess
    points = skeleton.points + jitter * rng.standard_normal((count, *skeleton.points.shape))
    path = skeleton.basis @ points
    path -= (skeleton.points.max(0) + skeleton.points.min(0)) / 2
    warp = hand.warp * hand.warp_of_digit[digit]
    for _ in range(2):
        wave = rng.normal(0, hand.warp_frequency, (count, 2, 1))
        phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
        path = path + np.sin(path @ wave + phase) * rng.normal(0, warp, (count, 1, 2)) * mess
    return path @ _shear_and_turn(digit, mess[:, 0, 0], rng, hand)


def _shear_and_turn(
    digit: int, mess: np.ndarray, rng: np.random.Generator, hand: Hand
) -> np.ndarray:
    """Choose width, slant and turn of each image; matrices ``(count, 2, 2)``."""
    spread = hand.width_spread * hand.width_spread_of_digit[digit]
    width = hand.width_of_digit[digit] * np.exp(mess * rng.normal(0, spread, len(mess)))
    slant = rng.normal(0, hand.slant_spread, len(mess))
    slant = np.sqrt(mess) * np.clip(slant, -hand.slant_limit, hand.slant_limit)
    slant += hand.slant + hand.slant_of_digit[digit]
    turn = np.sqrt(mess) * rng.normal(0, hand.turn_spread, len(mess))
    cos, sin = np.cos(turn), np.sin(turn)
    # (x, y) -> (width x - slant y, y), and then the turn.
    rows = [
        [width * cos, width * sin],
        [-slant * cos - sin, -slant * sin + cos],
    ]
    return np.transpose(rows, (2, 0, 1))


def _choose_pen(digit: int, count: int, rng: np.random.Generator, hand: Hand) -> np.ndarray:
    """Choose the pen's radius, in pixels; ``(count, 1, 1)``."""
    spread = hand.pen_spread * hand.pen_spread_of_digit[digit]
    radius = hand.pen * hand.pen_of_digit[digit] * np.exp(rng.normal(0, spread, (count, 1, 1)))
    return np.clip(radius, hand.pen_least, hand.pen_most_of_digit[digit])


def _pressure(count: int, rng: np.random.Generator, hand: Hand) -> np.ndarray:
    """Choose how much ink flows along the path; ``(count, NUM_SAMPLES)``."""
    along = np.linspace(0, 1, NUM_SAMPLES)
    frequency, phase = rng.uniform(0.5, 2.5, (count, 1)), rng.uniform(0, 2, (count, 1))
    strength = hand.pressure * rng.standard_normal((count, 1))
    flow = np.exp(strength * np.cos(np.pi * (along * frequency + phase)))
    has_gap = rng.random((count, 1)) < hand.gap_share
    in_gap = np.abs(along - rng.random((count, 1))) < hand.gap_length / 2
    return np.where(has_gap & in_gap, 0, flow)


def _fit_box(path: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Scale each path so that its longer side is ``side`` pixels, around the origin."""
    low, high = path.min(1, keepdims=True), path.max(1, keepdims=True)
    scale = side / (high - low).max(2, keepdims=True)
    return (path - (low + high) / 2) * scale


def _center(samples: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Move each image by whole pixels until its centre of mass is at CENTER, as in MNIST."""
    mass = (samples * ink[:, :, None]).sum(1, keepdims=True) / ink.sum(1)[:, None, None]
    return samples + CENTER + np.round(0.5 - mass)


def _raster(
    samples: np.ndarray, ink: np.ndarray, radius: np.ndarray, rough: np.ndarray
) -> np.ndarray:
    """Turn inked samples into pixels; uint8 ``(count, 28, 28)``.

    Each sample spreads its ink as a Gaussian. That is a product of a function of
    x and one of y, so all samples of an image add up in one matrix product. From
    the density D of a straight line, the distance to it is
    INK_REACH sqrt(-2 ln D): pixels nearer than the pen's radius are black.
    """
    grid = (np.arange(IMAGE_SIDE, dtype=np.float32) + np.float32(0.5))[None, :, None]
    samples = samples.astype(np.float32)
    # Below e^-30 there is nothing to see, but denormal numbers are slow.
    spread = np.float32(-0.5 / INK_REACH**2)
    along_x, along_y = (
        np.exp(np.maximum(spread * np.square(grid - samples[:, None, :, axis]), np.float32(-30)))
        for axis in (0, 1)
    )
    along_y *= (ink / (INK_REACH * np.sqrt(2 * np.pi))).astype(np.float32)[:, None, :]
    density = along_y @ along_x.transpose(0, 2, 1)
    distance = INK_REACH * np.sqrt(np.maximum(-2 * np.log(density + np.float32(1e-9)), 0))
    shade = np.clip(radius.astype(np.float32) - distance + rough + np.float32(0.5), 0, 1)
    return (255 * shade + 0.5).astype(np.uint8)


@cache
def load_skeletons() -> dict[int, list[Skeleton]]:
    """Read the skeletons that come with the package.

    Returns
    -------
    dict of int to list of Skeleton
        The ways to write each digit, from 0 to 9.
    """
    skeletons: dict[int, list[Skeleton]] = {digit: [] for digit in range(10)}
    text = (resources.files(__package__) / "skeletons.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            digit, weight, path = line.split(maxsplit=2)
            skeletons[int(digit)].append(_compile(float(weight), path))
    return skeletons


def _compile(weight: float, path: str) -> Skeleton:
    """Make a skeleton from its line: ``x,y x,y| x,y / x,y x,y``."""
    points: list[tuple[float, float]] = []
    runs: list[tuple[list[int], bool]] = []  # points of a smooth curve; does a stroke end there?
    for stroke in path.split("/"):
        run: list[int] = []
        for token in stroke.split():
            run.append(len(points))
            x, y = token.rstrip("|").split(",")
            points.append((float(x) / 100, float(y) / 100))
            if token.endswith("|"):
                runs.append((run, False))
                run = [run[-1]]
        runs.append((run, True))
    control = np.array(points)
    basis, pen_down = _sample(control, runs)
    is_end = np.zeros((len(points), 1), bool)
    is_end[[index for run, _ in runs for index in (run[0], run[-1])]] = True
    return Skeleton(weight, control, basis, pen_down, is_end)


def _sample(
    control: np.ndarray, runs: list[tuple[list[int], bool]]
) -> tuple[np.ndarray, np.ndarray]:
    """Spread the samples evenly over the Catmull-Rom curves through the control points."""
    lengths = np.concatenate(
        [np.linalg.norm(np.diff(control[run], axis=0), axis=1) for run, _ in runs]
    )
    share = np.append(0, np.cumsum(lengths)) / np.sum(lengths)
    num_lifts = sum(ends for _, ends in runs) - 1
    counts = iter(np.diff(np.round(share * (NUM_SAMPLES - num_lifts))).astype(int))
    rows, ends = [], []
    for run, ends_stroke in runs:
        points = np.eye(len(control))[run]  # the weights of all control points in each
        curve = CubicHermiteSpline(range(len(run)), points, np.gradient(points, axis=0))
        for i in range(len(run) - 1):
            count = next(counts)
            is_last = ends_stroke and i == len(run) - 2
            rows.extend(curve(i + np.arange(count + is_last) / max(count, 1)))
        if ends_stroke:
            ends.append(len(rows) - 1)
    pen_down = np.ones(len(rows) - 1)
    pen_down[ends[:-1]] = 0.0  # from there the pen goes to the next stroke's start
    return np.array(rows), pen_down
