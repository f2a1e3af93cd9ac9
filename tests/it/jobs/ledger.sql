-- What the table itself saw, written by a trigger and so by nothing that is tried here: every lease with its time, of which
-- the constraint lets no two of one job overlap, and every change of state.
CREATE TABLE ledger_leases (
    number bigint NOT NULL,
    token uuid PRIMARY KEY,
    attempt integer NOT NULL,
    most integer NOT NULL,
    worker text NOT NULL,
    during tstzrange NOT NULL,
    CONSTRAINT one_lease_at_a_time EXCLUDE USING gist (int8range(number, number, '[]') WITH &&, during WITH &&)
);
CREATE TABLE ledger_changes (
    id bigint GENERATED ALWAYS AS IDENTITY,
    number bigint NOT NULL,
    was job_status NOT NULL,
    now job_status NOT NULL,
    application text NOT NULL DEFAULT current_setting('application_name')
);
CREATE FUNCTION write_ledger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    number CONSTANT bigint := (NEW.payload ->> 'number')::bigint;
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF OLD.lease_token IS NOT NULL AND NEW.lease_token IS DISTINCT FROM OLD.lease_token THEN
        UPDATE ledger_leases l SET during = tstzrange(lower(during), least(upper(during), moment)) WHERE l.token = OLD.lease_token;
    END IF;
    IF NEW.lease_token IS NOT NULL AND NEW.lease_token IS DISTINCT FROM OLD.lease_token THEN
        INSERT INTO ledger_leases (number, token, attempt, most, worker, during) VALUES
            (number, NEW.lease_token, NEW.attempts, NEW.max_attempts, NEW.leased_by, tstzrange(moment, NEW.lease_expires_at));
    ELSIF NEW.lease_token IS NOT NULL THEN
        UPDATE ledger_leases l SET during = tstzrange(lower(during), NEW.lease_expires_at) WHERE l.token = NEW.lease_token;
    END IF;
    IF NEW.status <> OLD.status OR NEW.lease_token IS DISTINCT FROM OLD.lease_token OR NEW.heartbeat_at IS DISTINCT FROM OLD.heartbeat_at THEN
        INSERT INTO ledger_changes (number, was, now) VALUES (number, OLD.status, NEW.status);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION write_ledger();
