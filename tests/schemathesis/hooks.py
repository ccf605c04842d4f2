"""What the document cannot say."""

import uuid

import schemathesis

used = set()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key names one act; used for another one it is refused, which is what it is for."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key in used:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    elif key:
        used.add(key)
