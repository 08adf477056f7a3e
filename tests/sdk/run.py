"""Runs the tests of one SDK (`run.py openai`, `run.py anthropic`), or of what several can call (`run.py edenai`), with the versions in this interpreter;
closes with "N passed, N failed"."""

import importlib
import importlib.metadata
import pathlib
import sys
import unittest

sdk = sys.argv[1] if len(sys.argv) > 1 else "openai"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

installed = [f"{package.name} {package.version}" for package in importlib.metadata.distributions() if package.name in ("openai", "anthropic", sdk)]
print(f"{sdk}: {', '.join(installed)}, Python {sys.version.split()[0]}", flush=True)
suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(f"test_{sdk}"))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed or not result.testsRun else 0)
