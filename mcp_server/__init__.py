"""The MCP server: a door for agents. Its tools call the operations and nothing else."""
