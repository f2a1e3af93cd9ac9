-- Contract, once no program that reads or writes it runs any more. Its key goes with it.
-- squawk-ignore ban-drop-column
ALTER TABLE document_tags DROP COLUMN tag;
