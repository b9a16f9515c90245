"""Where the answer is known: closed forms of schemes, channels of known information."""
