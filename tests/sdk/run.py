"""Runs the tests of one SDK (`run.py openai`, `run.py langchain`) with the versions in this interpreter; closes with "N passed, N failed"."""

import importlib
import importlib.metadata
import pathlib
import sys
import unittest

sdk = sys.argv[1] if len(sys.argv) > 1 else "openai"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

# LangChain is several packages: what they share tells of them.
package = {"gemini": "google-genai", "langchain": "langchain-core"}.get(sdk, sdk)
print(f"{package} {importlib.metadata.version(package)}, Python {sys.version.split()[0]}", flush=True)
suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(f"test_{sdk}"))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed or not result.testsRun else 0)
