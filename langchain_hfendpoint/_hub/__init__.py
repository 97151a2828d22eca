"""How an embedded data set lies on disk and on the Hub: shards, manifest, card, push."""

from langchain_hfendpoint._extras import import_extra

# Said here once, so that the modules of this package can import pyarrow as if it were always there.
import_extra("pyarrow", "datasets")
