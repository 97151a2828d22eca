"""Where vectors go: the Pinecone writer, and any LangChain store."""
