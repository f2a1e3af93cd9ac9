ALTER TABLE teams DROP CONSTRAINT teams_lead_id_fkey;

DROP TABLE players;

DROP TABLE teams;

DROP TABLE reviews;

DROP TYPE verdict;
