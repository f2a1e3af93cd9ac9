CREATE TYPE verdict AS ENUM ('before', 'after');

CREATE TABLE reviews (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    parent_id uuid,
    before_id uuid NOT NULL,
    after_id uuid NOT NULL,
    verdict verdict NOT NULL,
    urgency urgency,
    verdicts verdict[] NOT NULL,
    type text NOT NULL,
    "order" integer NOT NULL,
    question vector(1536),
    question_bits bit(1536) GENERATED ALWAYS AS (binary_quantize(question)::bit(1536)) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reviews_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT reviews_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT reviews_parent_id_fkey
        FOREIGN KEY (workspace_id, parent_id) REFERENCES reviews (workspace_id, id) ON DELETE SET NULL (parent_id),
    CONSTRAINT reviews_before_id_fkey
        FOREIGN KEY (workspace_id, before_id) REFERENCES pictures (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT reviews_after_id_fkey
        FOREIGN KEY (workspace_id, after_id) REFERENCES pictures (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT reviews_verdicts_check CHECK (array_position(verdicts, NULL) IS NULL),
    CONSTRAINT reviews_verdicts_readable CHECK (workspace_db_is_readable(verdicts)),
    CONSTRAINT reviews_question_check CHECK (vector_norm(question) BETWEEN 1e-15 AND 1e15),
    CONSTRAINT reviews_created_at_readable CHECK (workspace_db_is_readable(created_at))
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reviews_parent_id_idx ON reviews (workspace_id, parent_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reviews_before_id_idx ON reviews (workspace_id, before_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reviews_after_id_idx ON reviews (workspace_id, after_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX reviews_question_bits_idx ON reviews (workspace_id, id) INCLUDE (question_bits);

COMMENT ON TABLE reviews IS 'Reviews of two pictures, side by side.';
COMMENT ON COLUMN reviews.id IS 'Identity within the workspace.';
COMMENT ON COLUMN reviews.workspace_id IS 'The workspace.';
COMMENT ON COLUMN reviews.parent_id IS 'The review that it answers.';
COMMENT ON COLUMN reviews.before_id IS 'The before.';
COMMENT ON COLUMN reviews.after_id IS 'The after.';
COMMENT ON COLUMN reviews.verdict IS 'The verdict.';
COMMENT ON COLUMN reviews.urgency IS 'The urgency.';
COMMENT ON COLUMN reviews.verdicts IS 'The verdicts.';
COMMENT ON COLUMN reviews.type IS 'The type.';
COMMENT ON COLUMN reviews."order" IS 'The order.';
COMMENT ON COLUMN reviews.question IS 'The text that it searches, as an embedding of 1536 dimensions.';
COMMENT ON COLUMN reviews.question_bits IS 'Signs of the components of question, generated from it.';
COMMENT ON COLUMN reviews.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('reviews');

CREATE TABLE teams (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    lead_id uuid,
    name text NOT NULL,
    CONSTRAINT teams_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT teams_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE
);

COMMENT ON TABLE teams IS 'Groups of people.';
COMMENT ON COLUMN teams.id IS 'Identity within the workspace.';
COMMENT ON COLUMN teams.workspace_id IS 'The workspace.';
COMMENT ON COLUMN teams.lead_id IS 'The lead.';
COMMENT ON COLUMN teams.name IS 'The name.';

SELECT workspace_db_isolate('teams');

CREATE TABLE players (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    team_id uuid NOT NULL,
    name text NOT NULL,
    CONSTRAINT players_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT players_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT players_team_id_fkey
        FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX players_team_id_idx ON players (workspace_id, team_id);

COMMENT ON TABLE players IS 'People of a group.';
COMMENT ON COLUMN players.id IS 'Identity within the workspace.';
COMMENT ON COLUMN players.workspace_id IS 'The workspace.';
COMMENT ON COLUMN players.team_id IS 'The team.';
COMMENT ON COLUMN players.name IS 'The name.';

SELECT workspace_db_isolate('players');

ALTER TABLE teams
    ADD CONSTRAINT teams_lead_id_fkey
        FOREIGN KEY (workspace_id, lead_id) REFERENCES players (workspace_id, id) ON DELETE SET NULL (lead_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX teams_lead_id_idx ON teams (workspace_id, lead_id);

