DROP FUNCTION workspace_db_interrupt_answers(integer);
DROP FUNCTION workspace_db_end_answer(uuid, uuid, uuid, bigint, text, message_state, integer, double precision, jsonb);
DROP FUNCTION workspace_db_flush_answer(uuid, uuid, uuid, bigint, text, interval);
-- Loses what was flushed of the answers that are being made.
DROP TABLE message_deltas;
