"""Runs the tests of one SDK (`run.py openai`: test_openai.py, test_openai_media.py, ...), or of what several can call (`run.py edenai`), with the versions
in this interpreter; closes with "N passed, N failed"."""

import importlib.metadata
import pathlib
import sys
import unittest

sdk = sys.argv[1] if len(sys.argv) > 1 else "openai"
folder = pathlib.Path(__file__).parent
sys.path.insert(0, str(folder))

# Some packages are called otherwise; LangChain is several: what they share tells of them. Eden AI is called with the SDKs of others.
packages = {"langchain": ["langchain-core"], "gemini": ["google-genai"], "mistral": ["mistralai"], "edenai": ["openai", "anthropic"]}.get(sdk, [sdk])
installed = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
print(f"{installed}, Python {sys.version.split()[0]}", flush=True)
modules = sorted(path.stem for path in [*folder.glob(f"test_{sdk}.py"), *folder.glob(f"test_{sdk}_*.py")])
suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed or not result.testsRun else 0)
