"""Runs the tests of one SDK (`run.py openai`: test_openai.py, test_openai_media.py, ...) with the versions in this interpreter; closes with
"N passed, N failed"."""

import importlib.metadata
import pathlib
import sys
import unittest

sdk = sys.argv[1] if len(sys.argv) > 1 else "openai"
folder = pathlib.Path(__file__).parent
sys.path.insert(0, str(folder))

# LangChain is several packages: what they share tells of them.
package = {"gemini": "google-genai", "langchain": "langchain-core"}.get(sdk, sdk)
print(f"{package} {importlib.metadata.version(package)}, Python {sys.version.split()[0]}", flush=True)
modules = sorted(path.stem for path in [*folder.glob(f"test_{sdk}.py"), *folder.glob(f"test_{sdk}_*.py")])
suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(1 if failed or not result.testsRun else 0)
