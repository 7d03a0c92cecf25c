"""Results that are computed once: kept whole, read again, refused under other settings; and digests of weights."""

import json
import shutil

import pytest

from equipoise.lab.once import Once, check_folder, fingerprint, read_settings, refuse_others
from equipoise.models.tiny import FOLDER


def once(out, **made_by):
    return Once(out, "probe", made_by, lambda record: record["value"])


def computed(task, kept=None):
    """A computation that is stored, or one that fails after it has kept a file or before."""
    with task.opened(task.out / "kept"):
        if kept is None:
            return task.store({"value": float("nan")})
        if kept:
            (task.out / "kept").write_text("mine")
        raise ValueError("broken")


@pytest.mark.parametrize("kept", [False, True])
def test_a_mistake_leaves_a_folder_only_where_something_was_kept(tmp_path, kept):
    task = once(tmp_path / "o", a=1)
    for _ in range(2):  # the second time the folder was there before
        with pytest.raises(ValueError, match="broken"):
            computed(task, kept)
        assert task.out.exists() == kept


def test_a_result_reads_back_as_it_was_returned(tmp_path):
    task = once(tmp_path / "o", a=(1, 2))
    assert task.stored() is None
    record = computed(task)
    assert record == {"value": None, "made_by": {"a": [1, 2]}}
    assert task.stored() == record
    with task.opened(tmp_path):
        assert json.loads((tmp_path / "o" / "settings.json").read_text()) == {"a": [1, 2]}


def test_a_folder_of_other_settings_or_of_something_else_is_refused_and_kept(tmp_path):
    computed(once(tmp_path / "o", a=1))
    for folder, says in ((tmp_path / "o", r"holds a probe of other settings \(a: 1, now 2\)"), (tmp_path, "no probe")):
        with pytest.raises(ValueError, match=says):
            computed(once(folder, a=2))
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["probe.json", "settings.json"]


@pytest.mark.parametrize(
    ("found", "wanted", "says"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, r"x of other settings \(a\.b: 1, now 2\); choose another --out"),
        ({"a": 1}, {"a": 1, "b": None, "c": 3}, r"\(c: null, now 3\)"),
        ({"a": [1], "z": 0}, {"a": (1,)}, r"\(z: 0, now null\)"),
    ],
)
def test_the_first_setting_that_differs_is_named(found, wanted, says):
    with pytest.raises(ValueError, match=says):
        refuse_others(found, wanted, "x")
    refuse_others(json.loads(json.dumps(wanted)), wanted, "x")


@pytest.mark.parametrize(("text", "says"), [("{", "cannot be read"), ("[]", "got no JSON object")])
def test_settings_that_are_no_json_object_are_one_line(tmp_path, text, says):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=rf"settings\.json.*{says}.*; choose another --out$"):
        read_settings(tmp_path / "settings.json")


def test_a_folder_cannot_be_made_through_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    check_folder(tmp_path / "new" / "folder")
    for out in (tmp_path / "file", tmp_path / "file" / "o"):
        with pytest.raises(ValueError, match=r"file is a file; choose another folder"):
            check_folder(out)


def test_a_fingerprint_follows_the_weights_and_not_the_place(tmp_path):
    for name in ("a/model", "b"):
        shutil.copytree(FOLDER, tmp_path / name)
    first, second = (fingerprint(str(tmp_path / name)) for name in ("a", "b"))
    assert first == second == fingerprint("tiny")
    assert fingerprint("owner/name") == "owner/name"
    weights = tmp_path / "b" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\0\1")
    assert fingerprint(str(tmp_path / "b")) != first
