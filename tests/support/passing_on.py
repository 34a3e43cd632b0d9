"""Scripts in place of a target's Python, which read a request and pass it on to the real agent.

The host holds an agent's input open and says so in the request. A script's agent gets an input that ends at once, so
the script leaves that word out.
"""

import sys

READ = """sys.stdin.readline().replace(', "held": true', "")"""  # Python: the request's line
PASS_ON = f"""printf %s "$request" | sed 's/, "held": true//' | exec {sys.executable} "$@"\n"""
