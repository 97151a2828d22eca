"""Servers for this machine: an endpoint and a Pinecone, without any account."""

from __future__ import annotations

from langchain_hfendpoint.local.endpoint import LocalEndpoint
from langchain_hfendpoint.local.pinecone import LocalPinecone

__all__ = ["LocalEndpoint", "LocalPinecone"]
