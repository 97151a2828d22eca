"""A RAG chain: retriever, prompt, chat model.

    python examples/rag_chain.py "What is the man on the horse doing?"

It runs without any account, on local servers, with a chat model that only quotes what was
retrieved. One line swaps in a real one.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.language_models import SimpleChatModel
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.vectorstores import VectorStoreRetriever

from langchain_hfendpoint import HFEndpointEmbeddings, SNLILoader, index, open_pinecone
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from these captions of photographs only:\n{context}"),
        ("human", "{question}"),
    ]
)


class QuotingChatModel(SimpleChatModel):
    """Stands in for a chat model: answers with the first caption it was given."""

    @property
    def _llm_type(self) -> str:
        return "quoting"

    def _call(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: object = None,
        **kwargs: Any,
    ) -> str:
        captions = messages[0].text.splitlines()[1:]
        return f"The nearest caption says: {captions[0]}" if captions else "I do not know."


def build_chain(
    retriever: VectorStoreRetriever, chat_model: Runnable[Any, Any]
) -> Runnable[str, str]:
    def join(documents: list[Document]) -> str:
        return "\n".join(document.page_content for document in documents)

    return (
        {"context": retriever | join, "question": RunnablePassthrough()}
        | PROMPT
        | chat_model
        | StrOutputParser()
    )


def main() -> None:
    question = sys.argv[1] if len(sys.argv) > 1 else "What is the man on the horse doing?"
    chat_model = QuotingChatModel()
    # A real one: chat_model = init_chat_model("...", model_provider="huggingface")
    # (from langchain.chat_models import init_chat_model; any provider will do)
    with ExitStack() as stack:
        endpoint = stack.enter_context(LocalEndpoint())
        pinecone = stack.enter_context(LocalPinecone())
        store = open_pinecone(
            "rag-example",
            HFEndpointEmbeddings(endpoint_url=endpoint.url),
            api_key=pinecone.api_key,
            controller_host=pinecone.host,
        )
        loader = SNLILoader("sample", column="hypothesis", unique=True, limit=2_000)
        index(loader, InMemoryRecordManager("rag-example"), store)
        chain = build_chain(store.as_retriever(search_kwargs={"k": 5}), chat_model)
        print(chain.invoke(question))


if __name__ == "__main__":
    main()
