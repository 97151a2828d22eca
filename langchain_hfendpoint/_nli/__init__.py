"""How sentence-pair data becomes texts: columns, labels, files and the Hub. Knows no embeddings."""
