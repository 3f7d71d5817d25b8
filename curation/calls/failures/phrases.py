"""How environments say that something failed: shells, languages, databases, the web, frameworks of tools.

Every pattern is tried at one place: where a result begins, on a line of it, or where it ends. A phrase in the
middle of a text says nothing, for there a text only speaks of an error.
"""

import re


def _one_of(*patterns: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), flags)


_KIND = (
    r"(?:mcp|rpc|fatal|internal|server|runtime|unexpected|tool|function|execution|validation|syntax|api"
    r"|http|network|connection|permission|authentication|authorization|query|command|database|db|sql|parse"
    r"|parsing|type|value|key|client|request|system|critical|import|compile|compilation|build|timeout"
    r"|lookup|schema|input)"
)
_DOING = (
    r"(?:executing|running|calling|invoking|while|during|occurred|occured|reading|writing|parsing|loading"
    r"|fetching|retrieving|processing|opening|creating|connecting|querying|getting|sending|updating"
    r"|accessing|searching|saving|deleting|downloading|in |from server|response from|code\b|using|with"
    r"|on line|at line)"
)
_THING = (
    r"(?:command|tool(?: call)?|function|request|operation|query|action|api call|call|execution|process"
    r"|job|script|build|compilation|upload|download|connection|login|authentication|authorization"
    r"|transaction|payment|booking|validation|update|edit|patch|installation|file|directory|path|table"
    r"|column|module|package|method|parameter|argument|resource|page|url|endpoint|user|id|host|element"
    r"|object|string|text|pattern|item|entry|record)"
)
_AWAY = (
    r"(?:failed|timed out|was rejected|was denied|was aborted|was refused|not found|could not be \w+"
    r"|does(?: not|n't) exist|rejected|(?:is |are )?(?:not|n't) (?:a )?(?:valid|allowed|supported"
    r"|available|recogni[sz]ed|permitted|defined|callable|a function|installed|accessible)|has failed"
    r"|was not found|has not been \w+|cannot be \w+)"
)
_WHAT = (
    r"(?:argument|parameter|input|request|syntax|json|format|command|action|api key|token|credential"
    r"|option|tool|function|name|type|path|url|choice|selection|operation|identifier|password|value|method"
    r"|index)"
)
# What stands before the words of a failure: brackets, stars, signs.
_LEAD = r"^[\s\[(<*#>`\"'❌⚠️🚫!-]{0,8}"
# After these words nothing failed.
_NONE = r"(?!\s*(?:none|null|no(?: errors?)?\W*$|0\b|false|\[\]|\{\}|n/a|\"\"))"

# How the result of any tool begins: that it calls itself an error, and other words.
_ERROR = (
    rf"{_LEAD}(?:{_KIND}[ _-]){{0,3}}(?:error|exception|failure)\b\W{{0,3}}?(?:\([\w .-]+\)|\[[\w .-]+\]"
    rf"|-?\d+)?\s*[\])*`]*\s*(?:[:\uff1a!—,]|- |\n|$){_NONE}"
)
# What an environment says of an action that it refuses.
_VERDICT = (
    rf"{_LEAD}(?:test case did not pass|failed \d+/\d+ test cases?|failed test case|wrong answer\b"
    rf"|incorrect(?:\.|!| answer| solution| input)|no known action matches|nothing happens\W{{0,2}}$"
    rf"|no \w+ (?:code|command|action) (?:was )?found|your proposed edit has introduced"
    rf"|your command .{{0,80}}(?:failed|not allowed|not supported|blocked))"
)
ERROR = _one_of(_ERROR, _VERDICT)
OPENS = _one_of(
    _ERROR,
    rf"{_LEAD}(?:{_KIND} ){{0,2}}(?:error|exception|failure)s?\s+{_DOING}",
    rf"{_LEAD}(?:an? |the )?(?:\w+ ){{0,3}}(?:error|exception) (?:has |was |is )?(?:occurred|occured"
    rf"|happened|thrown|raised|encountered)",
    rf"{_LEAD}(?:tool_use_error|tool_error|error)>",
    rf"{_LEAD}(?:failed|unable|not able) to \w",
    rf"{_LEAD}failed: (?!\d+\b)",
    rf"{_LEAD}(?:i |we |it |you )?(?:could not|couldn't|cannot|can not|can't)"
    rf" (?:be )?(?!wait )(?<!cannot be )[a-z]\w+",
    rf"{_LEAD}(?:the |your |this |that )?(?:[\w'\"`./:-]+ ){{0,3}}{_THING}s? (?:[\w'\"`./:=-]+"
    rf" ){{0,4}}{_AWAY}",
    rf"{_LEAD}(?:access|permission)s? (?:is |was )?denied",
    rf"{_LEAD}(?:unauthori[sz]ed|forbidden|not authori[sz]ed|authentication (?:required|failed))\b",
    rf"{_LEAD}invalid (?:[\w'\"`.-]+ ){{0,3}}{_WHAT}s?\b",
    rf"{_LEAD}(?:missing (?:[\w'\"`]+ ){{0,3}}(?:argument|parameter|field|input|key|value|header"
    rf"|permission)s?\b|missing required|required (?:\w+ ){{0,4}}(?:is |are )?missing)",
    rf"{_LEAD}(?:no such|unknown|unrecogni[sz]ed|undefined|unsupported) (?:[\w'\"`]+ ){{0,2}}(?:file|tool"
    rf"|function|command|table|column|host|container|process|action|option|argument|parameter|method"
    rf"|operation|key|user|module|database|flag|error)\b",
    rf"{_LEAD}(?:\w+ )?(?:rate limit|quota|timeout|time limit|memory limit|deadline)\w* (?:was |has been "
    rf"|is )?(?:exceeded|reached)",
    rf"{_LEAD}too many requests",
    rf"{_LEAD}(?:\w+ ){{0,2}}(?:timed out|timeout\b)(?! (?:set|is|value|=)|:? ?\d)",
    rf"{_LEAD}(?:connection|network) (?:was )?(?:refused|reset|timed out|closed|unreachable|error)",
    rf"{_LEAD}(?:HTTP(?:/\d(?:\.\d)?)?|status(?: code)?:?|http error:?|response:?|code:?) ?[45]\d\d\b",
    rf"{_LEAD}[45]\d\d[ :-]{{1,3}}(?:client error|server error|bad request|unauthori[sz]ed|forbidden"
    rf"|not found|method not|request timeout|conflict|gone|unprocessable|too many|internal|not implemented"
    rf"|bad gateway|service|gateway)",
    rf"{_LEAD}request failed with status",
    rf"{_LEAD}bad request: ",
    rf"{_LEAD}(?:bad request|internal server error|service unavailable|bad gateway|gateway timeout"
    rf"|not found)\W{{0,3}}$",
    _VERDICT,
    r"^\S{1,60} is not a valid (?:tool|function|command|action|option)",
    rf"{_LEAD}there (?:was|is) (?:an? |some )?(?:[\w-]+ ){{0,3}}(?:error|problem|issue|exception)\b",
    rf"{_LEAD}(?:sorry, |oops,? )?(?:something|it) went wrong",
    rf"{_LEAD}(?:\d+ )?validation errors? for",
    r"^\s*\[(?:error|fatal)\]",
    r"^[╷\s│]*│ error: ",
    r"^error TS\d+: |^CMake Error at ",
    rf"{_LEAD}(?:\w+[ .]){{1,3}}(?:failed|verification failed): ",
    rf"{_LEAD}[\w.]+: timeout \d+ ?ms exceeded",
    rf"{_LEAD}runtime error on ",
    rf"{_LEAD}net::ERR_",
    rf"{_LEAD}(?:i (?:do not|don't|did not|didn't) understand|illegal \w+)",
    rf"{_LEAD}no (?:replacements?|changes?) (?:was|were) (?:performed|made|applied)",
    r"^\s*(?:<!doctype[^>]*>\s*)?<html[^>]*>.{0,300}?<title>\s*(?:error )?[45]\d\d\b",
    rf"{_LEAD}(?:fehler|erreur|errore|ошибка|エラー|오류) ?[:\uff1a]",
    rf"{_LEAD}(?:错误|出错|发生错误|失败|操作失败|请求失败|查询失败|执行失败|参数错误|无法|找不到)",
)
# One short sentence, the whole of a result of a tool that neither reads nor looks something up.
SHORT = _one_of(
    r"(?:the |your |this |that )?[\w'\" #-]{1,40} (?:was |were |is |are |has been )?(?:currently "
    r"|temporarily )?(?:not found|not (?:a )?(?:valid|recogni[sz]ed|visible|authori[sz]ed|permitted"
    r"|supported|unique)|invalid|required|unavailable|rejected|declined|incorrect|exceeded"
    r"|already (?:booked|taken|exists?))[.!]?(?: (?:in|with|for|to)\b[^.\n]{0,30}[.!]?|: [^\n]{0,40}"
    r"|[.!] [^\n]{0,30})?",
    r"(?:your |the |that |this )?(?:answer|flag|guess|solution|password|input|value) is wrong\b[^\n]{0,30}",
    r"(?:the |your |this )?[\w'\" #-]{1,40} (?:does not|doesn't) exist[^.!\n]{0,30}[.!]?",
    r"(?:invalid|insufficient|wrong|bad|unauthori[sz]ed|duplicate|illegal|unsupported"
    r"|unknown) [\w']+(?: [\w']+)?(?: '[^'\n]*'| \"[^\"\n]*\")?(?:[.!]|: [^\n]{0,60})?",
    r"(?:not (?:authenticated|authori[sz]ed|allowed|permitted|enough \w+)|rate limited"
    r"|blocked by)\b[^\n]{0,60}",
    r"no (?:tool|element|function|object|file|user|such|replacement|match(?:es)?|permission|access)(?:[.!]"
    r"|(?: \w+)? (?:named|called|with|matches|found|exists|to|for)\b[^\n]{0,50}| [a-z]\b)?",
    r"[\w' ]{1,40} (?:denied|refused) permission[^\n]{0,40}|permission denied[^\n]{0,40}",
    r"(?:i'm |i am )?(?:sorry|oops)\b[^\n]{0,20}(?:error|don't understand|do not understand|went wrong"
    r"|cannot|not available)[^\n]{0,40}",
    r"you (?:do not|don't) have [^\n]{0,60}|wrong[.!][^\n]{0,30}|nothing happened\.?",
    r"(?:[\w']+ ){1,4}(?:has been|was) modified since[^\n]{0,60}",
    r"(?:the )?(?:operation|action|request|command|transaction|call) (?:was )?(?:aborted|cancelled"
    r"|canceled|declined)\b[^\n]{0,40}",
    r"(?:[\w'`\"]+ ){1,3}(?:returned an error|raised an exception|failed with [\w ]{0,20}error)\b[^\n]{0,60}",
    r"(?:failed|failure|error|exception|timeout|timed out|denied|rejected|aborted)[.!]?",
    r"[^\n]{0,12}(?:无效|超时|失败|错误|不存在)[^\n]{0,12}|[^\n]{0,12}エラー[^\n]{0,20}",
)
# The name of an exception before what it says.
EXCEPTION = re.compile(
    r"^(?:Uncaught |Unhandled |<class '|<stdin>:\d+: )?(?:[\w$]+[./])*[A-Z]\w*(?:Error|Exception|Interrupt"
    r"|Fault|Timeout)(?: \[\w+\])?(?:'>)?(?::\s|\(|$)"
)

SQL = _one_of(
    r"^(?:mysql: )?ERROR \d{4} \(\w{5}\)",
    r"^(?:psql:\S* )?(?:ERROR|FATAL): {2}\S",
    r"^\W{0,3}(?:\w+\.)*(?:Operational|Programming|Integrity|Database)Error\b",
    r"^.{0,40}you have an error in your sql syntax",
    r"^.{0,60}\bno such (?:table|column|function): ",
    r"^.{0,40}(?:unknown column|unknown table|unknown database) '",
    r"^.{0,40}table '?\S+'? doesn't exist",
    r"^\W{0,3}(?:ORA|PLS|TNS)-\d{5}",
    r"^Msg \d+, Level \d+",
    r"^\W{0,3}SQLSTATE\[",
    r"^(?:duplicate entry '.*' for key|incorrect syntax near )",
    r"^.{0,40}(?:near \"[^\"]{1,60}\": syntax error|relation \"\S+\" does not exist"
    r"|column \"\S+\" does not exist)",
    r"^(?:Parse|Binder|Catalog|Conversion) Error: ",
)

_SAYS = (
    r"(?:cannot\b|can't\b|could not\b|couldn't\b|no such file|permission denied|command not found"
    r"|not found\s*$|not found:|invalid option|unrecogni[sz]ed option|unrecogni[sz]ed argument"
    r"|illegal option|missing operand|extra operand|is a directory|not a directory|syntax error"
    r"|operation not permitted|file exists|already exists|directory not empty|no space left|resource busy"
    r"|read-only file system|argument list too long|connection refused|option requires|unexpected|bad "
    r"|directory|terminatedsubstitution|ambiguous redirect|missing argument|paths must"
    r"|unknown (?:predicate|option|command|primary|user|group|host|operand)|invalid\b|failed to\b|failed\b"
    r"|unable to\b|not recogni[sz]ed|fatal\b|error\b|unterminated|unmatched|expression expected|must be"
    r"|too many arg|not a (?:valid|git|regular)|no match|does not exist|event not found|division by"
    r"|out of range|cannot exec|read error|write error|bad \w+|unknown terminal|numeric argument|not known"
    r"|omitting directory|may not specify|not specified|same file|no process|no input|undefined"
    r"|possible unquoted|missing|no such|password is required|(?:is )?not (?:a|the) )"
)
# A line on which a program of the shell says that it failed.
SHELL_LINE = re.compile(
    r"^(?:(?:/\S*/)?(?:ba|z|da|k|a|fi|c)?sh(?:\.exe)?: (?:-c: )?(?:line \d+: |\d+: )?(?!warning).*\S.*:.+"
    rf"|(?:time=\S+ )?[\w./+-]+(?:\[\d+\])?(?: v[\d.]+)?(?: \([\w ]+\))? ?: (?!warning).{{0,300}}?{_SAYS}.*"
    r"|.{0,200}-c: line \d+: .+|zsh: (?:command not found|no matches found|permission denied).*|E: .+"
    r"|npm ERR!.*|npm error .*|fatal: .+|error: .+|ERROR: .+|make(?:\[\d+\])?: \*\*\* .+"
    r"|Error response from daemon: .+|Error from server .+|OCI runtime exec failed.*|docker: .+"
    r"|.{1,80}: error: .+|.{1,80}:\d+:\d+: (?:fatal )?error: .+|error\[E\d+\].*"
    r"|'?\S+'? is not recogni[sz]ed as (?:an internal|the name).*|The term '.+' is not recogni[sz]ed.*"
    r"|The system cannot find .+|.*\+ CategoryInfo +: .+|Segmentation fault.*|Killed$"
    r"|Aborted(?: \(core dumped\))?$|curl: \(\d+\) .+|ssh: .+|Permission denied.*"
    r"|Unit \S+ could not be found\.?|An error occurred \(\w+\) when calling .+"
    r"|Command ['\"`]?\S+['\"`]? (?:not found|timed out|failed).*)$",
    re.IGNORECASE,
)
# That the shell could make nothing of the command.
NO_SHELL = re.compile(r"-c: line \d+: |\bsh: .*(?:syntax error|unexpected EOF)")
# What a shell says it of.
OF_SHELL = re.compile(r"^(?:/\S*/)?[bzdk]?a?sh: (?:line )?(?:\d+: )?(\S[^:]*): ")
# Which program says it, with a shell before it or without.
PROGRAM = re.compile(r"^(?:(?:/\S*/)?[bzdk]?a?sh: )?(?:line \d+: )?(?:/\S*/)?([\w.+-]+): ")
# Lines that a program adds to what it said was wrong: help, the place, a caret.
HELP_LINE = re.compile(
    r"^(?:Try ['`\"]|usage\b|Usage\b|\s|\^|\+ |At line:|For more (?:details|information)|See ['`\"]"
    r"|Did you mean|.*--help|/bin/bash: -c: |hint: |.*: In function |Run ['`\"])"
)
# The last line of a script that its shell could not go on with.
SHELL_END = re.compile(
    r"(?:(?:^|/)(?:ba|z|da|k|a)?sh: .*|-c: line \d+: .*)(?:command not found|not found$|syntax error"
    r"|unexpected EOF|permission denied|no such file)|^(?:Segmentation fault|Killed$|Aborted|E: |fatal: "
    r"|npm ERR!|make(?:\[\d+\])?: \*\*\* |\w+: Exiting with failure)",
    re.IGNORECASE,
)

TRACEBACK = "Traceback (most recent call last)"
# How a traceback ends.
RAISED = re.compile(r"^(?:[\w$]+\.)*[A-Za-z_]\w*(?:: .*|:?$)")
PYTHON_PLACE = re.compile(r'^\s*(?:File "[^"\n]+"|Cell In ?\[\d+\]), line \d+', re.MULTILINE)
# The stacks of other languages, from their first line.
STACK = _one_of(
    r"^Exception in thread \"",
    r"^panic: .+",
    r"^thread '.*' panicked at",
    r"^(?:PHP )?(?:Fatal error|Parse error): ",
    r"^\S+\.rb:\d+:in [`']",
    r"^node:internal/",
    r"^(?:Uncaught )?(?:\w+ )?\w*Error: [^\n]*\n\s+at \S",
    r"^[\w.$]+(?:Exception|Error)\b[^\n]*\n\s+at \S",
    r"^\S+:\d+\n[^\n]*\n\s*\^",
    r"^Unhandled exception",
)

# The exit code that an environment writes first or last.
EXIT_CODE = re.compile(
    r"(?:exit(?:ed)?|finished|completed|terminated|returned"
    r"|process)[ _-](?:with )?(?:the )?(?:exit )?(?:status|code)\W{0,4}(-?\d{1,5})\b|(?:exited|finished"
    r"|completed|terminated) with (-?\d{1,5})\b|\bexit ?(?:code|status)\W{0,4}(-?\d{1,5})\b"
    r"|returncode>(-?\d+)<",
    re.IGNORECASE,
)

# What an environment says instead of running a command.
NOT_RUN = _one_of(
    r"^error executing query: your last `execute` action did not contain",
    r"^(?:\W{0,3}(?:the |your )?command .{0,80}(?:timed out|not allowed|is blocked|was rejected"
    r"|was denied))",
)
# What a tool that reads says when it cannot, and no text that it reads would open with.
CANNOT_READ = _one_of(
    r"(?:file|path|directory|page|url|document|resource|log|folder|table|entry"
    r"|article) .{0,120}(?:not found|does(?: not|n't) exist)",
    r"no such file|ENOENT|EACCES|permission denied|access denied|is a directory|not a directory",
    r"(?:cannot|can't|could not|couldn't|unable to|failed to|error) (?:be )?(?:read|open|access|fetch|load"
    r"|find|retriev|search|view|download)",
    r"(?:missing|invalid) (?:[\w'\"`]+ ){0,3}(?:argument|parameter|path|url|range|line)",
    r"(?:HTTP|status(?: code)?|error):? ?[45]\d\d(?: [A-Z][\w ]+)?\W*(?:$|for )|timed out|rate limit"
    r"|not a valid|unknown tool|tool_use_error",
)
LOG_LINE = re.compile(r"^\W{0,2}(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\d\d/\w{3}/\d{4}|[A-Z][a-z]{2} +\d+ \d\d:)")
