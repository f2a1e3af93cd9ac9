-- A few rows at a time, each batch a transaction of its own, until nothing is left: run it again while it says UPDATE 500.
-- No program writes a row without a label by now, and a row that somebody else has locked is left for the next batch.
UPDATE document_tags SET label = tag
WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM document_tags WHERE label IS NULL LIMIT 500 FOR UPDATE SKIP LOCKED
);
