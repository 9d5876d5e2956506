"""The environment, its file and the command (sections 6.5 and 6.6), with real shells."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.demand.environment import mentioned
from chalicelib.core.demand.environment_file import file_text
from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.site import Mount
from tests.unit.demand_cases import OURS, REPLAY, SCRATCH, demand, environment_of, scaffold

PARAMETERS = "demand_execution.execution_parameters"
ORIGINAL = REPLAY
FILE = f"{SCRATCH}/.demand.env"
ROOT_MOUNT = (Mount(id="fsap-0a10000000000000", path="/mnt"),)
MODES = {mode: {"env_file_write_mode": mode} for mode in ("NEVER", "ALWAYS", "IF_REQUIRED")}

VALUES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from(list("\"'`$\\!\n\r\t~*?(){}&|;<># \x01\x7f\x81\x88")),
    max_size=24,
)
NASTY = {
    "QUOTES": "\"double\" 'single' `back`",
    "DOLLARS": "$HOME ${HOME} $(id) $((1+1)) $$ $",
    "SLASHES": '\\ \\\\ \\n \\$ \\" trailing\\',
    "LINES": "\nfirst\n\nlast\n",
    "CONTINUED": "a\\\nb",
    "BANG": "!! !-1 !x",
    "UNICODE": "é 漢字 🧬 \u2028 \ufeff",
    "BLANKS": "  leading and trailing\t ",
    "EMPTY": "",
    "GLOB": "* ? [a] ~",
    "END": '"; rm -rf /; "',
}


def sourced(shell: str, text: str, folder: Path) -> dict[str, str]:
    """Source the file the way the command does and return the variables that it exports."""
    file = folder / ".demand.env"
    file.write_bytes(text.encode())
    done = subprocess.run(
        [shell, "-c", ". ${_ENVIRONMENT_FILE} && env -0"],
        env={"PATH": "/usr/bin:/bin", "_ENVIRONMENT_FILE": str(file)},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    pairs = [item.partition(b"=") for item in done.stdout.split(b"\0") if item]
    found = {name.decode(): value.decode() for name, _, value in pairs}
    return {name: found[name] for name in found if f"export {name}=" in text}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environment")


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_nasty_values_come_out_of_a_shell_as_they_went_in(shell: str, folder: Path) -> None:
    assert sourced(shell, file_text(NASTY, is_literal=True), folder) == NASTY


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(VALUES, min_size=1, max_size=12))
def test_any_value_comes_out_of_a_shell_as_it_went_in(
    shell: str, folder: Path, values: list[str]
) -> None:
    variables = {f"V{index}": value for index, value in enumerate(values)}
    assert sourced(shell, file_text(variables, is_literal=True), folder) == variables


def test_the_original_lets_the_shell_expand_values(folder: Path) -> None:
    text = file_text({"B": "$A-${A}", "A": "1", "Q": 'x" y="'}, is_literal=False)
    assert text.splitlines() == ['export A="1"', 'export B="$A-${A}"', 'export Q="x" y=""']
    assert sourced("/bin/sh", text, folder)["B"] == "1-1"


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ({"A": "1", "B": "2"}, "AB"),
        ({"A": "$B", "B": "2"}, "BA"),
        ({"A": "${C}", "B": "2", "C": "$B"}, "BCA"),
        ({"A": "$B", "B": "$A"}, "BA"),
        ({"A": "$A", "B": "$NO"}, "AB"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_literal", [True, False])
def test_a_variable_comes_after_those_it_mentions(
    values: dict[str, str], order: str, is_literal: bool
) -> None:
    lines = file_text(values, is_literal=is_literal).splitlines()
    assert "".join(line.split("=")[0][-1] for line in lines) == order


def test_a_long_chain_of_mentions_is_ordered() -> None:
    chain = {f"V{index}": f"$V{index + 1}" for index in range(5000)}
    assert file_text(chain, is_literal=False).startswith('export V4999="$V5000"')


def test_a_mention_is_a_dollar_sign_and_a_name() -> None:
    text = "$A ${B}_x ${B $Cé $1 $ ${} \\$D"
    assert list(mentioned(text)) == ["A", "B", "C", "1", "D"]


def document(**params: Any) -> dict[str, Any]:
    return demand({"command": ["run", "${NAMED}"], "params": params})


def test_by_default_what_the_command_does_not_name_goes_to_the_file() -> None:
    found = scaffold(document(named="x", note='a "b" $c'))
    expected = {
        "NAMED": "x",
        "WORKING_DIR": SCRATCH,
        "TMPDIR": "/opt/efs/scratch/tmp",
        "_ENVIRONMENT_FILE": FILE,
        "ENV_BASE": "dev-interop",
        "AWS_REGION": "us-west-2",
    }
    assert list(environment_of(found).items()) == list(expected.items())
    file = found.environment_file
    assert file is not None
    assert file.efs_path == "fs-0a1000000000000a:/scratch/e1/.demand.env"
    assert file.container_path == FILE
    assert file.text == 'export EXECUTION_ID="e1"\nexport NOTE="a \\"b\\" \\$c"'


def test_the_command_sources_the_file_if_there_is_one() -> None:
    prelude = "mkdir -p ${WORKING_DIR} && mkdir -p ${TMPDIR} && cd ${WORKING_DIR}"
    for mode, context in MODES.items():
        found = scaffold(document(named="x"), context=context)
        command = found.response.setup_configs.batch_create_request.command
        source = ". ${_ENVIRONMENT_FILE} && " if mode == "ALWAYS" else ""
        assert command == (
            "/bin/bash",
            "-c",
            f"{prelude} && {source}run ${{NAMED}}",
        )


@pytest.mark.parametrize(
    ("mode", "mounts", "is_written"),
    [
        ("ALWAYS", (), False),
        ("ALWAYS", ROOT_MOUNT, True),
        ("ALWAYS", (Mount(id="fsap-0a10000000000002", path="/mnt"),), True),
        ("ALWAYS", (Mount(id="fs-0a1000000000000a", path="/mnt"),), True),
        ("ALWAYS", (Mount(id="fsap-0a10000000000001", path="/mnt"),), False),
        ("ALWAYS", (Mount(id="fs-0b2000000000000b", path="/mnt"),), False),
        ("ALWAYS", (Mount(id="fsap-0b20000000000002", path="/mnt"),), False),
        ("ALWAYS", (Mount(id="fsap-0000000000000000", path="/mnt"),), False),
        ("IF_REQUIRED", ROOT_MOUNT, False),
        ("NEVER", ROOT_MOUNT, False),
    ],
)
def test_the_original_writes_the_file_only_where_it_is_mounted(
    mode: str, mounts: tuple[Mount, ...], is_written: bool
) -> None:
    found = scaffold(document(named="x"), ORIGINAL, mounts=mounts, context=MODES[mode])
    assert (found.environment_file is not None) is is_written


@pytest.mark.parametrize(("size", "is_written"), [(6000, False), (6900, True), (200_000, True)])
def test_the_file_is_written_when_it_is_required(size: int, is_written: bool) -> None:
    found = scaffold(document(named="x", note="n" * size), context=MODES["IF_REQUIRED"])
    assert (found.environment_file is not None) is is_written


def test_the_file_is_required_when_escapes_make_the_variables_too_large() -> None:
    found = scaffold(document(named="x", note="é" * 2000), context=MODES["IF_REQUIRED"])
    assert found.environment_file is not None


@pytest.mark.parametrize(
    ("site", "mode", "params", "mend"),
    [
        (OURS, "NEVER", {"named": "x", "note": "n" * 8000}, "ALWAYS"),
        (OURS, "ALWAYS", {"named": "n" * 8000}, "name fewer"),
        (ORIGINAL, "ALWAYS", {"named": "x", "note": "n" * 8000}, "no place"),
    ],
    ids=["never", "named", "nowhere"],
)
def test_variables_that_batch_has_no_room_for_are_refused(
    site: Any, mode: str, params: dict[str, str], mend: str
) -> None:
    with pytest.raises(TooLarge) as caught:
        scaffold(document(**params), site, context=MODES[mode])
    assert caught.value.field == f"{PARAMETERS}.params"
    assert mend in caught.value.mend


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("working-dir", "/x"),
        ("EXECUTION_ID", "other"),
        ("tmpdir", "/tmp"),
        ("_environment_file", "/x"),
        ("FALSEWORK_RUN", "x"),
        ("aws_batch_job_id", "x"),
        ("note", "a\0b"),
    ],
)
def test_a_parameter_that_cannot_be_a_variable_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        scaffold(document(**{name: value}))
    assert caught.value.field == f"{PARAMETERS}.params.{name}"


def test_a_parameter_may_say_again_what_we_set() -> None:
    found = scaffold(document(working_dir=SCRATCH, execution_id="e1", named="x"))
    assert environment_of(found)["WORKING_DIR"] == SCRATCH


def test_the_service_has_the_last_word_on_its_own_variables() -> None:
    for context in MODES.values():
        found = scaffold(document(env_base="prod", aws_region="x", named="1"), context=context)
        assert environment_of(found)["ENV_BASE"] == "dev-interop"
        assert environment_of(found)["AWS_REGION"] == "us-west-2"
        assert found.environment_file is None or "ENV_BASE" not in found.environment_file.text


def test_scaffolding_as_a_whole_delivers_values_byte_for_byte(folder: Path) -> None:
    # ${HOME} is a reference, which belongs to the format and not to the shell.
    values = {name: value.replace("${HOME}", "$HOME") for name, value in NASTY.items()}
    found = scaffold(document(**{f"p-{name}": value for name, value in values.items()}))
    assert found.environment_file is not None
    exported = sourced("/bin/bash", found.environment_file.text, folder)
    assert exported == {f"P_{name}": value for name, value in values.items()} | {
        "EXECUTION_ID": "e1"
    }
