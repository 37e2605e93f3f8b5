"""How many processes generate, and what each has of the machine."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import Settings
from deploy.generating import GIB, Machine, Share, count_cores, find_cards, is_generating, shares

OWN_MODEL = "org/seven-billion"


def _settings(processes: int = 0, **values: object) -> Settings:
    return Settings.model_validate({"generate_processes": processes, **values})


def _devices(folder: Path, *names: str) -> Path:
    for name in (*names, "null", "nvidiactl", "nvidia-uvm", "nvidia-caps"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (3, 3), (4, 4), (64, 4)])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_starters_get_a_process_a_core_and_at_most_four(cores: int, expected: int, device: str):
    assert len(shares(_settings(device=device), Machine(cores))) == expected


@pytest.mark.parametrize(("gib", "expected"), [(1, 1), (2, 1), (4, 2), (8, 4), (64, 4)])
def test_the_starters_get_no_more_processes_than_the_memory_holds(gib: int, expected: int):
    assert len(shares(_settings(), Machine(cores=8, memory_bytes=gib * GIB))) == expected
    # What is asked for is given: somebody knows better.
    assert len(shares(_settings(processes=4), Machine(cores=8, memory_bytes=gib * GIB))) == 4


@pytest.mark.parametrize("kind", ["copy_model", "image_model", "music_model"])
def test_a_model_of_your_own_is_held_once(kind: str):
    assert shares(_settings(**{kind: OWN_MODEL}), Machine(cores=16)) == [Share("generate")]


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_named_has_one_process(device: str):
    assert shares(_settings(device=device), Machine(cores=16, cards=("0", "1", "2", "3"))) == [Share("generate")]


@pytest.mark.parametrize("model", ["starter", OWN_MODEL])
@pytest.mark.parametrize("cards", [("0", "1", "2"), ("5", "0", "3"), ("GPU-8f1c", "GPU-2a", "MIG-b3")])
def test_each_of_several_cards_has_a_process_that_sees_it_alone(cards: tuple[str, ...], model: str):
    first, second, third = cards

    found = shares(_settings(copy_model=model), Machine(cores=2, cards=cards))

    # No device is named: a torch that this driver does not take falls back to the processor.
    assert found == [
        Share("generate", (("CUDA_VISIBLE_DEVICES", first),)),
        Share("generate-2", (("CUDA_VISIBLE_DEVICES", second),)),
        Share("generate-3", (("CUDA_VISIBLE_DEVICES", third),)),
    ]


def test_one_card_changes_nothing_for_a_model_of_your_own():
    assert shares(_settings(copy_model=OWN_MODEL), Machine(cores=16, cards=("0",))) == [Share("generate")]


@pytest.mark.parametrize(
    ("cores", "gib", "cards", "expected"),
    [
        (16, 64, "0", ["-"] * 3),
        (2, 64, "0", ["-"] * 2),
        (16, 10, "0", ["-"] * 2),
        (16, 2, "0", ["-"]),
        (8, 64, "012", [*"012012"]),
    ],
)
def test_the_starters_share_a_card(cores: int, gib: int, cards: str, expected: list[str]):
    found = shares(_settings(), Machine(cores, tuple(cards), gib * GIB))

    assert [dict(one.environment).get("CUDA_VISIBLE_DEVICES", "-") for one in found] == expected


def test_cards_do_not_count_where_the_processor_is_asked_for():
    assert [one.environment for one in shares(_settings(device="cpu"), Machine(cores=2, cards=tuple("01234567")))] == [
        (("FACTORY_THREADS", "1"),),
        (("FACTORY_THREADS", "1"),),
    ]


def test_processes_that_are_asked_for_share_the_cards_in_turn():
    found = shares(_settings(processes=3), Machine(cores=16, cards=("4", "7")))

    assert [dict(one.environment)["CUDA_VISIBLE_DEVICES"] for one in found] == ["4", "7", "4"]


def test_processes_that_are_asked_for_share_one_card_or_one_that_is_named():
    on_one = shares(_settings(processes=2), Machine(cores=16, cards=("0",)))
    on_named = shares(_settings(processes=2, device="cuda:1"), Machine(cores=16, cards=("0", "1", "2", "3")))

    assert on_one == on_named == [Share("generate"), Share("generate-2")]


@pytest.mark.parametrize(
    ("cores", "processes", "threads", "expected"),
    [(8, 2, 0, "4"), (7, 2, 0, "3"), (2, 4, 0, "1"), (8, 2, 3, "3"), (16, 0, 0, "4")],
)
def test_threads_are_those_that_are_set_or_a_part_of_the_cores(cores: int, processes: int, threads: int, expected: str):
    found = shares(_settings(processes, threads=threads), Machine(cores))

    assert {one.environment for one in found} == {(("FACTORY_THREADS", expected),)}


def test_one_process_has_all_that_the_settings_say():
    assert shares(_settings(processes=1), Machine(cores=8)) == [Share("generate")]
    assert shares(_settings(processes=1), Machine(cores=8, cards=("0", "1", "2", "3"))) == [Share("generate")]


@given(
    processes=st.integers(0, 64),
    cores=st.integers(1, 256),
    cards=st.lists(st.sampled_from([*"0123456789", "GPU-8f1c"]), max_size=8, unique=True).map(tuple),
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
    model=st.sampled_from(["starter", OWN_MODEL]),
    threads=st.integers(0, 8),
)
def test_whatever_the_machine_names_are_one_each_and_all_settings_are_valid(
    processes: int, cores: int, cards: tuple[str, ...], device: str, model: str, threads: int
):
    settings = _settings(processes, device=device, copy_model=model, threads=threads)

    found = shares(settings, Machine(cores, cards))

    assert found[0].name == "generate"
    assert len({one.name for one in found}) == len(found) == (processes or len(found))
    assert all(is_generating(f"{one.name}@host") for one in found)
    for environment in {one.environment for one in found}:
        # No process is sent to a card that is not there, nor away from what was asked for.
        assert dict(environment).get("CUDA_VISIBLE_DEVICES") in ({None} if device != "auto" else {None, *cards})
        own = {name.removeprefix("FACTORY_").lower(): value for name, value in environment if "FACTORY_" in name}
        theirs = Settings.model_validate(settings.model_dump() | own)
        assert theirs.threads >= min(threads, 1)
        assert theirs.device == device


def test_workers_of_other_names_do_not_generate():
    assert [
        name
        for name in ("generate@h", "generate-2@h", "feedback@h", "generates@h", "generate-b@h")
        if is_generating(name)
    ] == ["generate@h", "generate-2@h"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ()),
        (("nvidia0",), ("0",)),
        (("nvidia0", "nvidia1", "nvidia10"), ("0", "1", "2")),
        (("nvidia5",), ("0",)),
        (("kfd",), ()),
        (("dxg",), ("0",)),
        (("dxg", "nvidia0", "nvidia1"), ("0", "1")),
    ],
)
def test_cards_are_found_by_their_device_files(names: tuple[str, ...], expected: tuple[str, ...], tmp_path: Path):
    assert find_cards("2.9.0", None, _devices(tmp_path, *names)) == expected


@pytest.mark.parametrize("visible", [None, "0", "1", "0,1"])
def test_the_cards_of_amd_count_as_one_and_only_with_a_torch_for_them(visible: str | None, tmp_path: Path):
    devices = _devices(tmp_path, "kfd", "nvidia0", "nvidia1", "dxg")

    assert len(find_cards("2.9.0+rocm6.4", visible, devices)) == 1
    (devices / "kfd").unlink()
    assert find_cards("2.9.0+rocm6.4", visible, devices) == ()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", ()),
        ("-1", ()),
        ("0", ("0",)),
        ("2,0", ("2", "0")),
        ("0, 1", ("0", "1")),
        ("1,-1,0", ("1",)),
        ("0,1,2,3,4", ("0", "1", "2")),
        ("GPU-8f1c,GPU-2a", ("GPU-8f1c", "GPU-2a")),
        ("MIG-GPU-8f1c/1/0", ("MIG-GPU-8f1c/1/0",)),
        ('0,1",X="%(host)s', ("0",)),
    ],
)
def test_cards_that_cuda_may_not_see_do_not_count(visible: str, expected: tuple[str, ...], tmp_path: Path):
    assert find_cards("2.9.0", visible, _devices(tmp_path, "nvidia0", "nvidia1", "nvidia2")) == expected


@pytest.mark.parametrize(
    ("version", "expected"), [("2.9.0+cpu", ()), ("2.9.0", ("0", "1")), ("2.9.0+cu130", ("0", "1"))]
)
def test_a_torch_for_processors_has_no_cards(
    version: str, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = tmp_path / f"torch-{version}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr("deploy.generating.DEVICES", _devices(tmp_path / "dev", "nvidia0", "nvidia1"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert Machine.of(_settings()).cards == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("20000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("50000 10000\n", 5),
    ],
)
def test_a_container_counts_as_many_cores_as_it_has_the_time_of(
    limit: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "cpu.max").write_text(limit)

    assert count_cores(tmp_path / "cpu.max") == expected
    assert count_cores(tmp_path / "none") == 8
