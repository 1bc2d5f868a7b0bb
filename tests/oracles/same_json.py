"""Compares JSON texts: same_json.py < lines of SENT FOUND, both base64.

Prints the lines' numbers, from 0, in which they differ: in the digits of a number, in the order of members, in a member
that came twice, or in a string. What is no JSON (RFC 8259), or a string that is no Unicode, differs from everything.
"""

import base64
import json
import sys


def refuse(constant):
    raise ValueError(constant)


def read(text):
    value = json.loads(
        base64.b64decode(text).decode(),
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
        parse_constant=refuse,
        object_pairs_hook=lambda pairs: ("object", pairs),
    )
    json.dumps(value, ensure_ascii=False).encode()
    return value


for number, line in enumerate(sys.stdin):
    sent, found = line.split()
    try:
        same = read(sent) == read(found)
    except ValueError:
        same = False
    if not same:
        print(number)
