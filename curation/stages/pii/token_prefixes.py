"""The published prefixes of keys and tokens: who gives them out, what each holds, and how it looks.

Most shapes are those of gitleaks' rules (https://github.com/gitleaks/gitleaks, MIT), the others stand in the
documents of who gives them out. A prefix alone is no key: what follows has the length and the letters of one.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
    """marks: texts, parted by spaces, one of which every such token holds."""

    issuer: str
    marks: str
    pattern: str


# A hyphen, an underscore or a tilde with at least fifteen letters and digits behind it, which is found fast.
SEPARATOR = r"[_~-][A-Za-z0-9_+/=.~-]{15}"
SEPARATED = (
    Token("1Password", "A3-", r"A3-[A-Z0-9]{6}-[A-Z0-9-]{20,40}"),
    Token("Adobe", "p8e-", r"p8e-[A-Za-z0-9]{32}"),
    Token("age", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    Token(
        "Authress",
        ".acc_ .acc-",
        r"[a-z]{2,8}_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[\w+/=-]{30,}",
    ),
    Token("Clojars", "CLOJARS_", r"CLOJARS_[A-Za-z0-9]{60}"),
    Token("Cloudflare", "v1.0-", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{100,}"),
    Token("Defined Networking", "dnkey-", r"dnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52}"),
    Token("DigitalOcean", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    Token("Docker", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    Token("Duffel", "duffel_", r"duffel_(?:test|live)_[A-Za-z0-9_=-]{40,}"),
    Token("Figma", "figd_", r"figd_[A-Za-z0-9_-]{36,}"),
    Token(
        "Flutterwave", "FLWPUBK FLWSECK", r"FLW(?:PUBK|SECK)(?:_TEST)?-[A-Za-z0-9]{12}(?:[A-Za-z0-9]{20}-X)?"
    ),
    Token("Fly.io", "fo1_ fm1a_ fm1r_ fm2_", r"fo1_[\w-]{43}|fm(?:1[ar]|2)_[A-Za-z0-9+/]{100,}={0,3}"),
    Token("Frame.io", "fio-u-", r"fio-u-[A-Za-z0-9_=-]{64}"),
    Token("GitHub", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    Token("GitHub", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    Token(
        "GitLab",
        "glpat- gldt- glrt- glft- glffct- glimt- glagent- gloas- glptt- glsoat- glcbt-",
        r"gl(?:pat|dt|rt|ft|ffct|imt|agent|oas|ptt|soat|cbt)-[A-Za-z0-9_-]{20,}(?:\.[0-9a-z]{2}[0-9a-z]{7})?",
    ),
    Token("Google", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    Token("Grafana", "glc_ glsa_", r"glc_[A-Za-z0-9+/]{32,}={0,3}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    Token("Groq", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    Token("Heroku", "HRKU-", r"HRKU-[A-Za-z0-9_-]{30,}"),
    Token("Hugging Face", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Token("Infracost", "ico-", r"ico-[A-Za-z0-9]{32}"),
    Token("Intra42", "s-s4t2", r"s-s4t2(?:ud|af)-[a-f0-9]{64}"),
    Token("LangSmith", "lsv2_", r"lsv2_[ps][tk]_[a-f0-9]{32}_[a-f0-9]{10}"),
    Token("Linear", "lin_api_ lin_oauth_", r"lin_(?:api|oauth)_[A-Za-z0-9]{40}"),
    Token("Lob", "live_ test_", r"(?:live|test)_(?:pub_)?[a-f0-9]{31,35}"),
    Token("Mailgun", "key-", r"(?:pub)?key-[a-f0-9]{32}"),
    Token("MaxMind", "_mmk", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),
    Token("Netlify", "nfp_", r"nfp_[A-Za-z0-9]{36,}"),
    Token("New Relic", "NRAK- NRII- NRJS- NRRA- NRBR- NRSP- NRMA-", r"NR[A-Z]{2}-[A-Za-z0-9-]{19,}"),
    Token("Notion", "ntn_ secret_", r"ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}"),
    Token("npm", "npm_", r"npm_[A-Za-z0-9]{36,}"),
    Token("Octopus Deploy", "API-", r"API-[A-Z0-9]{26}"),
    Token("OpenAI, Anthropic and others", "sk-", r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"),
    Token("Perplexity", "pplx-", r"pplx-[A-Za-z0-9]{48}"),
    Token("Pinecone", "pcsk_", r"pcsk_[A-Za-z0-9_]{50,}"),
    Token(
        "Plaid",
        "access-",
        r"access-(?:sandbox|development|production)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
    ),
    Token("PlanetScale", "pscale_", r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,}"),
    Token("Postman", "PMAK-", r"PMAK-[A-Fa-f0-9]{24}-[A-Fa-f0-9]{34}"),
    Token("Prefect", "pnu_ pnb_", r"pn[ub]_[A-Za-z0-9]{36}"),
    Token("Pulumi", "pul-", r"pul-[a-f0-9]{40}"),
    Token("PyPI", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
    Token("ReadMe", "rdme_", r"rdme_[a-z0-9]{70}"),
    Token("Replicate", "r8_", r"r8_[A-Za-z0-9]{37}"),
    Token("RubyGems", "rubygems_", r"rubygems_[a-f0-9]{48}"),
    Token("Scalingo", "tk-us-", r"tk-us-[\w-]{48}"),
    Token("Sendinblue", "xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    Token("Sentry", "sntrys_ sntryu_ sntrya_", r"sntrys_[A-Za-z0-9+/=_]{60,}|sntry[ua]_[a-f0-9]{64}"),
    Token("SettleMint", "sm_aat_ sm_pat_ sm_sat_", r"sm_[aps]at_[A-Za-z0-9]{16}"),
    Token("Shippo", "shippo_", r"shippo_(?:live|test)_[A-Fa-f0-9]{40}"),
    Token("Shopify", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    Token("Sourcegraph", "sgp_", r"sgp_(?:(?:[A-Fa-f0-9]{16}|local)_)?[A-Fa-f0-9]{40}"),
    Token("Square", "sq0", r"sq0[a-z]{3}-[\w-]{22,60}"),
    Token("Stripe", "whsec_", r"whsec_[A-Za-z0-9+/]{24,}={0,2}"),
    Token("Supabase", "sbp_ sbs_", r"sb[ps]_[a-f0-9]{40}"),
    Token("Tavily", "tvly-", r"tvly-[A-Za-z0-9-]{30,}"),
    Token("Typeform", "tfp_", r"tfp_[\w.=-]{59}"),
    Token("Azure", "Q~", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    Token("OpenShift", "sha256~", r"sha256~[\w-]{43}"),
    Token(
        "Stripe",
        "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_",
        r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",
    ),
    Token("Slack", "xapp-", r"xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    Token("xAI", "xai-", r"xai-[A-Za-z0-9]{70,}"),
)
# Digits among letters: the stage looks closer where a digit, a few letters and a digit stand together. One in
# ten of the shortest of these has no such place.
MINGLED = r"[0-9][A-Za-z]{1,9}[0-9]"
TELLING = (
    Token("Airtable", "pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    Token("Alibaba", "LTAI", r"LTAI[A-Za-z0-9]{20}"),
    Token("Amazon", "AKIA ASIA ABIA ACCA A3T", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}"),
    Token("Amazon", "ABSK", r"ABSK[A-Za-z0-9+/]{100,}={0,2}"),
    Token("Artifactory", "AKCp cmVmd", r"AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59}"),
    Token("Atlassian", "ATATT ATCTT ATBB", r"AT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{24,}"),
    Token("ClickHouse", "4b1d", r"4b1d[A-Za-z0-9]{38}"),
    Token("Databricks", "dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    Token("Doppler", "dp.", r"dp\.(?:pt|st|sa|scim|ct|audit)\.[A-Za-z0-9._-]{40,}"),
    Token("Dropbox", "sl.", r"sl\.[A-Za-z0-9_=-]{130,}"),
    Token("Dynatrace", "dt0c01.", r"dt0c01\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}"),
    Token("EasyPost", "EZAK EZTK", r"EZ[AT]K[A-Za-z0-9]{54}"),
    Token("Facebook", "EAA", r"EAA[A-Z][A-Za-z0-9]{100,}"),
    Token("GitLab", "GR1348941", r"GR1348941[A-Za-z0-9_-]{20}"),
    Token("Google", "AIza ya29.", r"AIza[A-Za-z0-9_-]{35,}|ya29\.[A-Za-z0-9_-]{30,}"),
    Token("Grafana", "eyJrIjoi", r"eyJrIjoi[A-Za-z0-9]{70,}={0,3}"),
    Token("Harness", "pat. sat.", r"[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}"),
    Token("HashiCorp", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}"),
    Token("HashiCorp", "hvs. hvb. hvr.", r"hv[bsr]\.[\w-]{24,}"),
    Token(
        "JSON web tokens", ".ey", r"ey[A-Za-z0-9_-]{9,}\.ey[A-Za-z0-9_/\\-]{9,}\.[A-Za-z0-9_/\\-]{10,}={0,2}"
    ),
    Token("Mapbox", "pk. sk.", r"[ps]k\.[A-Za-z0-9]{60}\.[A-Za-z0-9_-]{22}"),
    Token("1Password", "ops_ey", r"ops_ey[A-Za-z0-9+/]{100,}={0,3}"),
    Token("SendGrid", "SG.", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|SG\.[\w=.-]{66}"),
    Token("Slack", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xoxe\.xox[bp]-[A-Za-z0-9-]{30,}"),
    Token("Square", "EAAA", r"EAAA[\w-]{22,60}"),
    Token("Telegram", ":AA", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33,}"),
    Token("Twilio", "SK", r"SK[0-9a-fA-F]{32}"),
    Token("Yandex", "AQVN t1.", r"AQVN[\w-]{35,38}|t1\.[\w-]+={0,2}\.[\w-]{86}={0,2}"),
)
_BLOCK = re.compile(
    r"-----BEGIN (?P<block>[A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?)-----(?:\s|\\n)+(?=[A-Za-z0-9+/=])"
    r"[A-Za-z0-9+/=\s\\:.,-]{16,}?(?:-----END (?P=block)-----|\Z)"
)
# With the signs that may not stand before a token: those of base64 where the prefix has no separator, for in
# a long text of it such prefixes stand by chance.
_PATTERNS = tuple(
    (re.compile(rf"(?:{token.pattern})(?![A-Za-z0-9])"), signs)
    for signs, tokens in (("", SEPARATED), ("+/_-", TELLING))
    for token in tokens
)
_MARKS = tuple(
    (mark, number) for number, token in enumerate((*SEPARATED, *TELLING)) for mark in token.marks.split()
)


def find_tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, value) of every token with a published prefix, and of every private key."""
    if "-----BEGIN" in text:
        for match in _BLOCK.finditer(text):
            yield match.start(), match.end(), match.group()
    for number in dict.fromkeys([number for mark, number in _MARKS if mark in text]):
        pattern, signs = _PATTERNS[number]
        for match in pattern.finditer(text):
            before = text[match.start() - 1] if match.start() else " "
            if before not in signs and not (before.isascii() and before.isalnum()):
                yield match.start(), match.end(), match.group()
