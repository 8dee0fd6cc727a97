"""Tests of the MCP server, by the official client: in memory, over stdio and over HTTP."""
