"""The search page and its JSON over HTTP."""
