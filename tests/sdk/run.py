"""Runs the SDK tests with the SDK of this interpreter and closes with "N passed, N failed"."""

import pathlib
import sys
import unittest

import openai

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import test_openai  # noqa: E402: its folder has to be on the path first

print(f"openai {openai.VERSION}, Python {sys.version.split()[0]}", flush=True)
suite = unittest.defaultTestLoader.loadTestsFromModule(test_openai)
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed or not result.testsRun else 0)
