"""Verifies ECDSA signatures over SHA-256: signatures.py PUBLIC.pem < lines of MESSAGE SIGNATURE, both base64.

Prints how many verify and how many do not.
"""

import base64
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import load_pem_public_key

key = load_pem_public_key(open(sys.argv[1], "rb").read())
good = bad = 0
for line in sys.stdin:
    message, signature = line.split()
    try:
        key.verify(base64.b64decode(signature), base64.b64decode(message), ECDSA(hashes.SHA256()))
        good += 1
    except (InvalidSignature, ValueError):
        bad += 1
print(good, bad)
