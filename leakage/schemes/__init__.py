"""Selective-encryption schemes, found by name."""

from leakage.schemes.base import Scheme
from leakage.schemes.jpeg import JpegCipher, decrypt_jpeg, encrypt_jpeg
from leakage.schemes.registry import get_scheme, list_schemes

__all__ = ["JpegCipher", "Scheme", "decrypt_jpeg", "encrypt_jpeg", "get_scheme", "list_schemes"]
