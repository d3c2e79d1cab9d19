"""The functions as AWS Lambda calls them: what an event means, and what is logged of an invocation; no logic of payments."""
