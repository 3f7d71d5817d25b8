"""Commands against a real bash grammar."""

import pytest

from curation.calls.bash_syntax import bash_error


@pytest.mark.parametrize(
    "command",
    [
        "docker ps -a | grep -v Exited",
        "grep -r done . && echo fi",
        "cat <<'EOF' > f\nif then {\nEOF",
        "echo \"$(date +%F)\" 'it'\"'\"'s'",
        'for f in *.log; do gzip "$f"; done',
        "[[ $x =~ ^[0-9]+$ ]] || exit 1",
        "rm -rf !(*.key)",
        "size=`du -s . | cut -f1`",
        "ls /tmp \\",
        "grep total$ report.txt",
        "x=$((3 * (2 + 1)))",
        "case $1 in a) echo 1 ;; b) echo 2 ;; esac",
        "echo größe; echo 日本",
        "",
    ],
)
def test_bash_is_accepted(command):
    assert bash_error(command) is None


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ('echo "hello', 1),
        ("ls |", 1),
        ("&& ls", 1),
        ("(cd /srv && ls", 1),
        ("make clean;; make all", 1),
        ("then echo yes; fi", 1),
        ("echo ok\nif true; then\n  ls\n", None),
        ("echo $(", 1),
        ("echo 1\necho 2\nls | | wc", 3),
        ("@(" * 20_000, 1),
    ],
)
def test_what_bash_refuses_is_found(command, line):
    error = bash_error(command)
    assert error is not None
    assert line is None or error["line"] == line


def test_an_error_says_where_it_is():
    assert bash_error("echo größe | | wc")["near"].startswith(("|", "größe", "echo"))
    assert len(bash_error("x" * 5000 + ' "')["near"]) <= 80
