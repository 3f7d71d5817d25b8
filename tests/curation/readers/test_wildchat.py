from shapes import HELLO, read, said


def test_wildchat_prefers_its_conversation():
    record = {"messages": [], "conversation": [{**m, "toxic": False, "language": "English"} for m in HELLO]}
    assert said(read("wildchat", record)) == [("user", "hi"), ("assistant", "hello")]
