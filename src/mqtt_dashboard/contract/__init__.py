"""Everything that crosses a process border: names, documents, and how they are encoded.

Imports msgspec and the standard library only. Changes within a major version are additive;
unknown fields are ignored, unknown types are counted by the reader.
"""

CONTRACT_VERSION = 1
