"""How texts become vectors. Knows nothing of LangChain, but for its rate limiter.

loop        one background event loop a process
protocols   pure: requests and answers of every server kind
detection   pure: which server kind this is, and what it allows
failures    pure: what an error answer means
batching    pure: batches by count and bytes, of like length; halving
flow        pure: how much may be in flight
retry       pure: what to do after a failure, and when
gate        shell: lets requests through as flow decides
transport   shell: one HTTP exchange
client      shell: one endpoint; detection, retries, halving
stream      shell: a stream of texts in, a stream of batches out
"""
