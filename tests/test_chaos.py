"""What `make chaos` draws follows from the seed, every kind comes as often, a hostile answer is none that could be true."""

import asyncio
import random
import sys

import pytest

from yuyan import settings

sys.path.append(str(settings.PROJECT / "lanes"))

import chaos_run
import disturbances
import hostile_platforms

KINDS = [*chaos_run.KINDS, *disturbances.TWICE]


def test_a_run_follows_from_the_seed_and_its_number():
    drawn = [chaos_run.draw(7, number) for number in range(1, 51)]
    again = [chaos_run.draw(7, number) for number in range(1, 51)]
    assert drawn == again
    assert [d.dice.random() for d in drawn] == [d.dice.random() for d in again]
    assert drawn != [chaos_run.draw(8, number) for number in range(1, 51)]
    assert {d.day for d in drawn} == {1, chaos_run.LATEST}


def test_every_kind_comes_in_each_round():
    first = [chaos_run.draw(7, number).kind for number in range(1, len(KINDS) + 1)]
    assert sorted(first) == sorted(KINDS)


async def _platform(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"12345678"})


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_hostile_platform_answers_what_it_has_or_what_nobody_takes_for_true(share):
    hostile, bodies = hostile_platforms.HostileNow(_platform, share, "1"), []

    async def send(message):
        bodies.append(message.get("body"))

    for _ in range(100):
        asyncio.run(hostile({"type": "http", "path": "/"}, None, send))
    answers = {body for body in bodies if body is not None}
    false = {body for _, _, body in hostile_platforms.ANSWERS.values()} | {b"1234"}
    assert answers == {b"12345678"} if share == 0 else answers <= false and b"1234" in answers


def test_a_process_is_killed_and_named(monkeypatch):
    class Told:
        pid, killed = 7, False

        def cmdline(self):
            return ["postgres:", "walwriter"]

        def kill(self):
            Told.killed = True

    monkeypatch.setitem(disturbances.TARGETS, "one", lambda city: [Told()])
    city = disturbances.City(settings.PROJECT, random.Random(1), {})
    assert disturbances.Kill("one").strike(city) == "7 postgres: walwriter"
    assert Told.killed
