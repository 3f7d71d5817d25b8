"""personal_data and secret_keys: what is found, and what only looks like it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.pii.personal_data import find, has_check_digit

# Assembled here, so that scanners of this repository find no key in it.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SLACK = "xoxb-" + "123456789012-abcdefGHIJKL"
OPENAI = "sk-" + "proj-Ab3dEf6hIj9lMn2pQr5tUv8x"
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq98\nzx+Ab/9=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("write to Jane.Doe+x@mail.example.co.uk.", "email", "Jane.Doe+x@mail.example.co.uk"),
        ("<a href='mailto:bob@host.org'>", "email", "bob@host.org"),
        ("from a@b.io: hello", "email", "a@b.io"),
        ("call 555-123-4567 now", "phone", "555-123-4567"),
        ("(415) 555-2671", "phone", "(415) 555-2671"),
        ("415.555.2671", "phone", "415.555.2671"),
        ("+1 (415) 555-2671", "phone", "+1 (415) 555-2671"),
        ("+1-555-876-5432", "phone", "+1-555-876-5432"),
        ("+14155552671", "phone", "+14155552671"),
        ("+44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("+91 98765 43210", "phone", "+91 98765 43210"),
        ("+33 1 44 72 42 00", "phone", "+33 1 44 72 42 00"),
        ("1-800-273-8255", "phone", "1-800-273-8255"),
        ("Phone: 555-1234", "phone", "555-1234"),
        ("my phone number is 020 7946 0958", "phone", "020 7946 0958"),
        ('"phone_number": "4155552671"', "phone", "4155552671"),
        ("call me at 98765 43210", "phone", "98765 43210"),
        ("Email.......bob@firma.example--thanks", "email", "Email.......bob@firma.example"),
        ("josé@müller.example", "email", "josé@müller.example"),
        ("写信到li@firma.rs:请", "email", "li@firma.rs"),
        ("Fax: 212-555-0143x12", "phone", "212-555-0143x12"),
        ("Telefon: 030/123456", "phone", "030/123456"),
        ("Tel: 030 123456 10 Uhr", "phone", "030 123456"),
        ("https://firma.example/?phone=4155550143&x=1", "phone", "4155550143"),
        ("Phone:\n060-56-85-91", "phone", "060-56-85-91"),
        ("手机13800001111联系", "phone", "13800001111"),
        ("sms to 0151 2345 6789", "phone", "0151 2345 6789"),
        ("022 345 67 89 office", "phone", "022 345 67 89"),
        ("地址是203.0.113.7。", "ip", "203.0.113.7"),
        ("host 5.6.7.88", "ip", "5.6.7.88"),
        ("5.6.7.88:8080", "ip", "5.6.7.88"),
        ("卡号4111111111111111。", "card", "4111111111111111"),
        ("login from 203.0.113.7 failed", "ip", "203.0.113.7"),
        ("ping 142.250.191.14", "ip", "142.250.191.14"),
        ("http://5.9.1.2:8080/", "ip", "5.9.1.2"),
        ("2001:0db8:85a3::8a2e:0370:7334", "ip", "2001:0db8:85a3::8a2e:0370:7334"),
        ("card 4111 1111 1111 1111.", "card", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "card", "5500-0000-0000-0004"),
        ("amex 378282246310005", "card", "378282246310005"),
        (f"export KEY={AWS}", "secret", AWS),
        (f"token {GITHUB}", "secret", GITHUB),
        (SLACK, "secret", SLACK),
        (OPENAI, "secret", OPENAI),
        (STRIPE, "secret", STRIPE),
        (f"Authorization: Bearer {JWT}", "secret", JWT),
        (f"key:\n{BLOCK}\nend", "secret", BLOCK),
        ("postgres://app:hu7nter2@db:5432/x", "secret", "hu7nter2"),
        ("DB_PASSWORD='S3cr3t!pass9'", "secret", "S3cr3t!pass9"),
        ("API_KEY=9f86d081884c7d659a2feaa0c55ad015", "secret", "9f86d081884c7d659a2feaa0c55ad015"),
        ('{"client_secret": "q7Zp-29xLmT4vB8n"}', "secret", "q7Zp-29xLmT4vB8n"),
        ("$env:GITHUB_TOKEN = 'Zx81kLmN20PqRs7t'", "secret", "Zx81kLmN20PqRs7t"),
    ],
)
def test_found(text, kind, said):
    assert [(f.kind, text[f.start : f.end]) for f in find(text)] == [(kind, said)]


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:user/repo.git",
        "ssh deploy@web1.example.com uptime",
        "scp file backup@host.example.org:/srv",
        "icon@2x.png and getty@tty1.service",
        "npm install lodash@4.17.21 react@18.2.0",
        "@app.route and a @ b.c",
        "2024-01-15 12:30:45.123456",
        "phone: 2024-2025 season, call 1998 - 2001",
        "+2024-01-15 10:00 added",
        "ISBN 978-0-306-40615-7 and 0-306-40615-2",
        "order 114-3941689-8772232, invoice 20240115001",
        "pi is 3.14159265358979 and 1,234,567.89",
        "1700000000000 ms, 1234567890 s",
        "call it 1234567 times, dial back 50 percent",
        "range(1000000, 9999999)",
        "commit 9f86d081884c7d659a2feaa0c55ad015",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "coordinates 40.712776, -74.005974",
        "version 1.22.333.44, v2.0.1.5, Chrome/90.0.44.93, pkg==1.20.3.4",
        "section 1.2.3.4 and 127.0.0.1, 0.0.0.0, 10.1.2.3, 192.168.1.254, 172.31.0.1, 255.255.255.0",
        "nameserver 8.8.8.8",
        "999.1.2.3 and 1.2.3.4.5",
        "OID_SUBJECT = '2.5.29.14', OID 1.3.101.112, v8: '12.4.254.14'",
        "Upgrade V8 to 3.24.35.22, libx 1.1.90.1 was released, fetch step 12.1.1.3",
        "c0 1.52-.87 2.83-2.12 3.51.98.132 2.03.5 3.11.5",
        "192.0.2.0/24, 203.0.113.128/25, 2001:db8::/32 and Jun 6 2006::",
        "1.0.0.127.in-addr.arpa",
        "1:10~+20191229111838+6991d57",
        "icon@2x.md and backup@2024.sh",
        "hotline 1-800-799-SAFE, text '128.200.34.', call 192.168.10.12 or 1.234.567",
        '{"AWS::IAM::AccessKey": "62d91b17309e76c8", "nextPageToken": "q7Zp29xLmT4vB8nK1s"}',
        '["implement_password_manager", "enable_2fa_on_critical_accounts"]',
        "credentials: OAuth2Credentials, tokenizer='deepset/deberta-v3-large-squad2'",
        "cache_key=9f86d081884c7d659a2feaa0c55ad015, public_key = 'q7Zp29xLmT4vB8nK1sWy83mQ'",
        "std::vector and ::1 and fe80::1 and 12:30:45",
        "4111 1111 1111 1112",
        "1234567812345670",
        "0x4111111111111111, 4111111111111111.5, id-4111111111111111",
        "api_key = os.environ['API_KEY']",
        "password = getpass.getpass()",
        "password: your_password_here",
        "token = tokenizer.encode(text)",
        "max_tokens=2048, token_type_ids: tensor",
        'API_KEY="<your-api-key>" TOKEN=${GITHUB_TOKEN}',
        "SECRET_KEY: see /etc/secrets/app.conf",
        "mysql://user:password@localhost/db",
        "sk-learn-is-a-library-for-machine-learning",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "Bearer <token>",
        "primary_key=user_id_2 and keyboard=qwerty12",
        "[EMAIL_1] [PHONE_2] [IP_3] [CARD_4] password=[SECRET_5] http://u:[SECRET_1]@h",
        "3:16 1-2-3 10-20-30 100-200-300",
        "5 + 1234567 = 1234572",
        "temperature +12345678 and -5",
    ],
)
def test_not_found(text):
    assert find(text) == []


@pytest.mark.parametrize("between", [", ", "/", " or ", " oder ", " 或 "])
def test_a_word_announces_all_numbers_of_a_list(between):
    text = f"Tel: 030 123456{between}040 7654321"
    assert [text[f.start : f.end] for f in find(text)] == ["030 123456", "040 7654321"]


def test_findings_are_in_order_and_do_not_overlap():
    text = f"a@b.io, 555-123-4567; https://x:hu7nter2@b.io {AWS}"
    assert [f.kind for f in find(text)] == ["email", "phone", "secret", "secret"]


def test_only_the_kinds_asked_for_are_found():
    assert [f.kind for f in find("a@b.io 555-123-4567", frozenset(["phone"]))] == ["phone"]


def test_one_value_however_it_is_spelt():
    values = {f.value for f in find("4111 1111 1111 1111, 4111-1111-1111-1111")}
    assert values == {"4111111111111111"}


@pytest.mark.parametrize(("digits", "fits"), [("79927398713", True), ("79927398710", False), ("0", True)])
def test_check_digit(digits, fits):
    assert has_check_digit(digits) is fits


@settings(deadline=None)
@given(st.text("0123456789+-(). :/@abcXsk_=\"'\n", max_size=80))
def test_findings_lie_within_the_text_in_order(text):
    end = 0
    for finding in find(text):
        assert end <= finding.start < finding.end <= len(text)
        end = finding.end


def test_long_texts_take_linear_time():
    for text in (
        "1" * 200_000,
        "a@" * 100_000,
        "1." * 100_000,
        "password=" * 20_000,
        "eyJ" * 60_000,
        "+1 " * 60_000,
        "eyaaaaaaaaaaaa.ey" * 15_000,
        "tel 1 1 1 1 " * 20_000,
        "key string " * 20_000,
    ):
        find(text)
