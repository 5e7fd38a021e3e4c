"""Commands on trained models: answers, exports, servers."""
