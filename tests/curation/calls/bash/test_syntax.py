"""Commands against the grammar of bash, and beside bash itself where it is there."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.calls.bash.syntax import bash_error, keeps_the_grammar


def version_of_bash() -> str:
    if shutil.which("bash") is None:
        return "none"
    return subprocess.run(["bash", "-c", "echo $BASH_VERSION"], capture_output=True, text=True).stdout.strip()


# Others differ in details: 3.2 knows neither `|&` nor `;&`, 5.3 has `${ ls; }`.
needs_bash = pytest.mark.skipif(
    not version_of_bash().startswith("5.2"), reason=f"needs bash 5.2, and here is {version_of_bash()}"
)


def bash_reads(command: str) -> bool:
    """What `bash -n` says, with extended patterns or without. A complaint counts, a warning does not."""
    for options in ([], ["-O", "extglob"]):
        run = subprocess.run(
            ["bash", "--norc", "-n", *options], input=command.encode(), capture_output=True, check=False
        )
        if run.returncode == 0 and all(b": warning: " in line for line in run.stderr.split(b"\n") if line):
            return True
    return False


WORDS = [
    "docker ps -a | grep -v Exited",
    "grep -r done . && echo fi",
    "echo \"$(date +%F)\" 'it'\"'\"'s'",
    "rm -rf !(*.key)",
    "cp *.@(jpg|png) out/",
    "size=`du -s . | cut -f1`",
    "grep total$ report.txt",
    "echo größe; echo 日本",
    "echo ${s:$i:1} ${s//[()]/} ${a[i+1]} ${#s} ${x:-a b}",
    'echo "a ${x:-"b c"} d" $\'it\\\'s\' $"x" $$ $# a$',
    'files=(*.txt "a b" [7]=c) ; files+=(d)',
    "declare -A sizes=([small]=1 [large]=2)",
    "x[1 + 2]=3 y= z=a=b env",
    "find . -exec ls {} \\;",
    "echo a#b # and no more (of this",
    "ls /tmp \\",
    "ls -l \\\n  -a",
    "diff <(sort a) <(sort b) > >(tee c)",
    "echo {1..3} {a,b}{c,d} }",
    "",
    "# nothing to do",
]
COMPOUND = [
    'for f in *.log; do gzip "$f"; done',
    "for f in *.txt; do (cat $f) done",
    "for i do echo $i; done",
    "for x\nin a b\ndo\n  echo $x\ndone",
    "for ((i = 0; i < 3; i++)) { echo $i; }",
    "select f in *; do echo $f; break; done",
    "{ while true; do date; sleep 1; done } | head",
    "if (test -f x) then echo y; elif z; then w; else v; fi",
    "until ping -c1 host; do sleep 1; done > log 2>&1",
    "case $1 in a) echo 1 ;; (b|c) echo 2 ;& d) ;;& *) esac",
    "time for i in 1 2; do ls; done",
    "! time -p ls | wc -l",
    "f() { ls; }; function g { ls; } 2>/dev/null; function h () ( ls )",
    "a-b.c() { ls; }",
    "coproc worker { cat; }",
    "[[ $x =~ ^[0-9]+(a|b c)$ && ! -e /tmp/x || ( a < b ) ]] || exit 1",
    "[[ $x == !(a|b) && -n $y ]]",
    "(( 10#$m > 5 )) && x=$((3 * (2 + 1) << 2))",
    "((echo a); echo b)",
    "echo $(case x in x) echo y ;; esac)",
    "echo $(( $(echo 1) + ${x} ))",
    "a && b || c & d; e |& f\n\n g",
]
REDIRECTED = [
    "cat <<'EOF' > f\nif then {\nEOF",
    "cat <<EOF>out.txt\nx\nEOF",
    "cat <<EOF; echo hi\nx\nEOF",
    "cat <<A <<-B\n'\nA\n\t(\n\tB\necho done",
    "x=$(cat <<EOF\n)\nEOF\n)",
    "cat <<EOF\nnever ends",
    "exec 3<>/dev/tcp/localhost/80 {fd}>log 2>&- &>all",
    "< in tr a b <<< word",
]


@pytest.mark.parametrize("command", WORDS + COMPOUND + REDIRECTED)
def test_bash_is_accepted(command):
    assert bash_error(command) is None


@pytest.mark.parametrize(
    ("command", "line", "column"),
    [
        ('echo "hello', 1, 6),
        ("echo 'hello", 1, 6),
        ("echo `ls", 1, 6),
        ("ls |", 1, 5),
        ("&& ls", 1, 1),
        ("(cd /srv && ls", 1, 1),
        ("echo ok; ls)", 1, 12),
        ("make clean;; make all", 1, 11),
        ("then echo yes; fi", 1, 1),
        ("}", 1, 1),
        ("{ls; }", 1, 6),
        ("echo ok\nif true; then\n  ls\n", 2, 1),
        ("echo ok\necho $(ls", 2, 6),
        ("echo größe | | wc", 1, 14),
        ("echo 1\necho 2\nls | | wc", 3, 6),
        ("for i in 1 2; do done", 1, 18),
        ("for i in 1 2 do ls; done", 1, 21),
        ("for ((i = 0; i < 3)); do ls; done", 1, 5),
        ("if true; then; ls; fi", 1, 14),
        ("case x in a) ls", 1, 1),
        ("[[ a b ]]", 1, 6),
        ("[[ -f ]]", 1, 7),
        ("echo a=(1)", 1, 8),
        ("a=(1; 2)", 1, 5),
        ("f() ls", 1, 5),
        ("cat <in <", 1, 10),
        ("print('hello')", 1, 7),
        ("os.remove(path)", 1, 11),
        ("console.log(`${a}`);", 1, 13),
        ("for i in range(3):", 1, 15),
        ("if (a === b) {", 1, 14),
    ],
)
def test_what_bash_refuses_is_found_where_it_is(command, line, column):
    error = bash_error(command)
    assert error is not None
    assert (error["line"], error["column"]) == (line, column)
    assert "other_language" not in error


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("echo \"a $(ls 'b')", '"'),
        ("echo ${x", "}"),
        ("x=$((1 + 2)", ")"),
        ("while true; do ls", "done"),
        ("[[ -f a", "]]"),
        ("{ ls", "}"),
        ("a=(1 2", ")"),
    ],
)
def test_an_error_says_what_is_missing(command, missing):
    assert bash_error(command)["missing"] == missing


def test_an_error_shows_one_line_and_not_much_of_it():
    assert len(bash_error(") " + "x" * 5000)["near"]) == 80
    assert bash_error("ls )\nls")["near"] == ")"


@pytest.mark.parametrize("part", ["@(", "$(", "(", "((", "{ ", '"$(', "a=(", "[[ ( ", "if ", "$(( ", "${"])
def test_what_nests_as_in_no_command_is_refused_at_once(part):
    assert bash_error(part * 20_000) is not None


@needs_bash
@pytest.mark.parametrize("command", WORDS + COMPOUND + REDIRECTED)
@pytest.mark.parametrize("cut", [0, 1, 3, 8])
def test_what_is_left_of_a_command_is_bash_where_bash_says_so(command, cut):
    # The front, and the command without a part inside it.
    for text in (command[: len(command) - cut], command[:cut] + command[cut + 2 :]):
        assert keeps_the_grammar(text) == bash_reads(text), text


PARTS = [
    *("ls", "x=1", "-a", "*.txt", "'a b'", '"$x"', "$(ls)", "`ls`", "${x:-y}", "$((1 + 2))", "a=(1 2)"),
    *("|", "||", "&&", "&", ";", "\n", "(", ")", "{", "}", "((", "))", "[[ a", "]]", "!", "time", ";;", "|&"),
    *(
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for x",
        "in",
        "do",
        "done",
        "while",
        "case x",
        "esac",
        "a)",
        "f()",
    ),
    *(
        "function g",
        "select y",
        "> f",
        "2>&1",
        "< f",
        "<<< w",
        "<<E",
        "\nE\n",
        "<(ls)",
        "==",
        "=~",
        "-f",
        "#",
    ),
    *("'", '"', "$(", "${", "`", "\\"),
]


@needs_bash
@given(st.lists(st.sampled_from(PARTS), max_size=9), st.sampled_from([" ", " ", ""]))
@settings(max_examples=200)
def test_parts_in_any_order_are_bash_where_bash_says_so(parts, between):
    text = between.join(parts)
    assert keeps_the_grammar(text) == bash_reads(text)
