"""The settings of the assistant: keys of providers, and databases."""

from pydantic import SecretStr

from ..settings import Settings


class SupportSettings(Settings):
    """The variables that this use case adds."""

    openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str = ""
    """Address of a compatible server; empty means OpenAI's."""
    anthropic_api_key: SecretStr = SecretStr("")
    anthropic_base_url: str = ""
    """Address of a compatible server; empty means Anthropic's."""
    conversations_url: SecretStr = SecretStr("")
    """postgresql:// address of the agent's conversations, of PostgreSQL or of a pooler in session
    mode; empty means `conversations.db`."""
    vector_store_url: SecretStr = SecretStr("")
    """postgresql:// address of a database with pgvector for the embeddings; empty means memory."""
