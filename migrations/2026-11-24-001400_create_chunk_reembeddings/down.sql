DROP TABLE chunk_reembeddings;
