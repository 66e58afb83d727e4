"""docs/OPERATIONS.md, "Verification" and "Troubleshooting", with the development stack: every command
in a pseudo-terminal, in order, and what it should show."""

import pytest

import document

# They change the host: what they say is checked, and they are not run.
HOST_COMMANDS = ("sudo sysctl -w vm.max_map_count=1048575",
                 "echo 'vm.max_map_count=1048575' | sudo tee -a /etc/sysctl.conf")
STEPS = document.steps("Verification", "Troubleshooting")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack("docker-compose.dev.yml")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_document_says_what_happens(stack, step):
    if step.command not in HOST_COMMANDS:
        stack.follow(step)


def test_the_document_has_both_lines_for_the_number_of_maps():
    assert [step.command for step in STEPS if "sudo " in step.command] == list(HOST_COMMANDS)
