"""Faust as the frame: whole chunks in, one transaction a flush and source partition out, state restored in bulk."""
