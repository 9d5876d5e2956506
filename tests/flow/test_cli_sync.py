"""``sync``, ``verify`` and ``paths``, as a user runs them."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.flow.doors import copying_demand, eventually, falsework, has_settled
from tests.flow.test_server import serving


@pytest.fixture
def here(tmp_path):
    for name in ("a", "b/c", "b/d.log"):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def bucket(here, name="out"):
    folder = here / ".falsework/s3/bucket" / name
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def ok(*words, cwd, **more):
    done = falsework(*words, cwd=cwd, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def planned(text: str, verb: str, here) -> set[str]:
    """The names below the destination that a dry run gives that verb."""
    ends = re.findall(rf"^{verb} +(.*?)(?: \([\d,]+ bytes\))?$", text, re.MULTILINE)
    return {end.rpartition(" → ")[2].removeprefix("s3://bucket/out/") for end in ends}


def test_a_folder_goes_into_a_bucket_and_the_counts_are_told(here):
    out = ok("sync", "src", "s3://bucket/out/", "--wait", "--group", "lab", cwd=here)
    assert bucket(here) == {"a", "b/c", "b/d.log"}
    assert "3 files, 11 bytes at the destination" in out
    assert "data-sync" in ok("list", "--group", "lab", cwd=here)


def test_without_waiting_the_id_is_printed_and_an_engine_stays(here):
    run_id = ok("sync", "src", "s3://bucket/out/", cwd=here).strip()
    assert run_id.startswith("data-sync-")
    eventually(lambda: has_settled(here / ".falsework", run_id))
    assert len(bucket(here)) == 3


def test_filters_choose_what_is_copied(here):
    ok("sync", "src", "s3://bucket/out/", "--include", "b/.*", "--exclude", ".*log", "--wait",
       cwd=here)  # fmt: skip
    assert bucket(here) == {"b/c"}


def test_too_much_for_one_job_is_divided(here):
    ok("sync", "src", "s3://bucket/out/", "--batch-bytes", "4", "--wait", cwd=here)
    assert len(bucket(here)) == 3
    (job,) = (here / ".falsework/s3/falsework/runs").glob("*/*/batches")
    assert len(list(job.iterdir())) >= 2


def test_a_move_empties_the_source(here):
    ok("sync", "src", "s3://bucket/out/", "--move", "--wait", cwd=here)
    assert (len(bucket(here)), (here / "src").exists()) == (3, False)


def test_a_dry_run_says_exactly_what_a_run_then_does(here):
    ok("sync", "src", "s3://bucket/out/", "--wait", cwd=here)
    (here / "src/b/c").write_text("changed")
    (here / "src/new").write_text("new")
    (here / "src/a").unlink()
    before = {name: _text(here, name) for name in bucket(here)}
    words = ("sync", "src", "s3://bucket/out/", "--delete")
    told = ok(*words, "--dry-run", cwd=here)
    assert {name: _text(here, name) for name in bucket(here)} == before
    assert "1 to copy, 1 to overwrite, 1 to delete; 1 in order" in told
    ok(*words, "--wait", cwd=here)
    after = {name: _text(here, name) for name in bucket(here)}
    assert planned(told, "copy", here) == after.keys() - before.keys() == {"new"}
    assert planned(told, "delete", here) == before.keys() - after.keys() == {"a"}
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert planned(told, "overwrite", here) == changed == {"b/c"}
    assert "0 to copy, 0 to overwrite, 0 to delete" in ok(*words, "--dry-run", cwd=here)


def _text(here, name):
    return (here / ".falsework/s3/bucket/out" / name).read_text()


def test_without_delete_a_dry_run_deletes_nothing_either(here):
    ok("sync", "src", "s3://bucket/out/", "--wait", cwd=here)
    (here / "src/a").unlink()
    assert "0 to delete" in ok("sync", "src", "s3://bucket/out/", "--dry-run", cwd=here)


def test_a_dry_run_of_a_move_names_what_goes(here):
    told = ok("sync", "src", "s3://bucket/out/", "--move", "--dry-run", cwd=here)
    assert re.search(rf"^remove +{here}/src,", told, re.MULTILINE)
    assert (here / "src/a").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("sync", "nothing", "s3://bucket/out/", "--dry-run"), 2, "nothing"),
        (("sync", "src", "s3://falsework/out/"), 2, "Falsework's own"),
        (("sync", "src", "fs-0b2000000000000b:/x"), 2, "no file system"),
        (("sync", "src", "s3://bucket/x/", "--include", "("), 2, "does not compile"),
        (("sync", "", "s3://bucket/x/"), 2, "a path is empty"),
        (("paths", "remove", ""), 2, "a path is empty"),
        (("sync", "src", "s3://bucket/../x/"), 2, "has a part '.' or '..'"),
        (("sync", "src", "s3://bucket/x/", "--batch-bytes", "-1"), 2, "batch_size_bytes_limit"),
        (("sync", "nothing", "s3://bucket/out/"), 2, "there is nothing at this path"),
        (("sync", "src", "s3://bucket", "--delete"), 2, "the whole of a bucket"),
        (("paths", "remove", "fs-0000000000000001:/"), 2, "the whole of a file system"),
        (("paths", "remove", "/"), 2, "the whole of a file system"),
        (("verify", "s3://bucket/out/"), 2, "give what `falsework show"),
        (("verify", "src"), 2, "outputs are objects"),
        (("sync", "src", "s3://bucket/x/", "--dry-run", "--url", "http://127.0.0.1:1"), 2, "dry"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_words(here, words, code, told):
    done = falsework(*words, cwd=here)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_folder_around_the_home_is_copied_without_it_and_never_emptied(here):
    ok("sync", ".", "s3://bucket/out/", "--wait", cwd=here)
    assert bucket(here) == {"src/a", "src/b/c", "src/b/d.log"}
    for words in (("s3://bucket/out/", ".", "--delete"), (".", "s3://bucket/x/", "--move"),
                  ("s3://bucket/out/", ".falsework/s3/other/")):  # fmt: skip
        for last, code in (("--dry-run", 2), ("--wait", 1)):
            done = falsework("sync", *words, last, cwd=here)
            assert done.returncode == code, done.stdout + done.stderr
            assert "refused" in done.stdout + done.stderr
    assert falsework("paths", "remove", ".falsework/jobs", cwd=here).returncode == 1
    assert bucket(here) == {"src/a", "src/b/c", "src/b/d.log"}
    ok("sync", "s3://bucket/out/src/", ".falsework/../src", "--delete", "--wait", cwd=here)


def test_a_dry_run_refuses_what_the_allowed_roots_refuse(here):
    ok("sync", "src", "s3://bucket/out/", "--wait", cwd=here)
    words = ("sync", "s3://bucket/out/", "elsewhere", "--delete")
    roots = {"FALSEWORK_DATA_ROOTS": str(here / "allowed")}
    for last, code in (("--dry-run", 2), ("--wait", 1)):
        done = falsework(*words, last, cwd=here, **roots)
        assert done.returncode == code, done.stdout + done.stderr
        assert "outside of the allowed roots" in done.stdout + done.stderr


def test_an_output_is_verified_by_its_manifest(here):
    (here / "in.txt").write_text("hello\n")
    ok("put", "in.txt", "s3://bucket/in.txt", cwd=here)
    ok("run", "-", "--wait", stdin=copying_demand("e1"), cwd=here)
    uri = "s3://bucket/results/e1/res/"
    assert "is what its manifest says" in ok("verify", uri, cwd=here)
    output = here / ".falsework/s3/bucket/results/e1/res/copy"
    output.write_text("hullo\n")
    done = falsework("verify", uri, cwd=here)
    assert done.returncode == 1
    digest = hashlib.sha256(b"hello\n").hexdigest()
    assert f"{uri}copy  sha256: expected {digest}" in done.stdout
    output.unlink()
    assert "missing" in falsework("verify", uri, cwd=here).stdout


def test_paths_are_asked_about_and_removed(here):
    ok("sync", "src", f"{FS}:/scratch/x", "--wait", cwd=here)
    path = f"{FS}:/scratch/x"
    stats = json.loads(ok("paths", "stats", path, cwd=here))
    assert stats["path_stats"]["size_bytes"] == 11
    listed = json.loads(ok("paths", "list", path, "--exclude", "b", cwd=here))
    assert [each.rpartition("/x")[2] for each in listed["paths"]] == ["/", "/a"]
    outdated = json.loads(ok("paths", "outdated", path, "--days", "3", cwd=here))
    assert outdated == {"paths": []}
    removed = json.loads(ok("paths", "remove", path, cwd=here))
    assert removed["size_bytes_removed"] == 11
    assert not (here / ".falsework/efs" / FS / "scratch/x").exists()


def test_through_a_server_it_is_the_servers_home(here):
    root = here / "served"
    with serving(root) as (_, port):
        url = f"http://127.0.0.1:{port}"
        ok("sync", "src", "s3://bucket/out/", "--wait", "--url", url, cwd=here)
    assert (root / "s3/bucket/out/b/c").read_text() == "b/c"
