"""Entries move into one partition per quarter, so that a quarter can be archived and dropped whole.

`byline_audit_add_partitions(n)` makes those of this and the next n quarters; it runs after every
`migrate`. A default partition takes what no quarter was made for: an append must never fail for
that. Rules of a parent do not reach statements on its partition, so each gets its own guard and
nobody but the owner any right on it. The primary key has to hold the partition key; ids stay
unique because they come from one sequence and the app may not write them.
"""

from django.db import migrations

PARTITIONS = """
CREATE FUNCTION byline_audit_guard(part regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role text;
BEGIN
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', part);
    FOREACH role IN ARRAY ARRAY['byline_app', 'byline_sealer'] LOOP
        CONTINUE WHEN role = current_user OR NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role);
        EXECUTE format('REVOKE ALL ON %s FROM %I', part, role);
    END LOOP;
    EXECUTE format('CREATE TRIGGER byline_audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.byline_audit_refuse()', part);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER byline_audit_refuse', part);
END $$;

CREATE FUNCTION byline_audit_add_partitions(quarters integer, since timestamptz DEFAULT now())
RETURNS integer LANGUAGE plpgsql SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('quarter', since);
    name text;
    made integer := 0;
BEGIN
    WHILE first <= now() + make_interval(months => 3 * quarters) LOOP
        name := format('byline_audit_entry_%s', to_char(first, 'YYYY"q"Q'));
        -- Rows that already lie in the default partition keep their quarter there for good.
        IF to_regclass(name) IS NULL AND NOT EXISTS (
            SELECT 1 FROM byline_audit_entry_default
            WHERE created >= first AND created < first + interval '3 months'
        ) THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF byline_audit_entry FOR VALUES FROM (%L) TO (%L)',
                name, first, first + interval '3 months');
            PERFORM byline_audit_guard(name::regclass);
            made := made + 1;
        END IF;
        first := first + interval '3 months';
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION byline_audit_guard(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION byline_audit_add_partitions(integer, timestamptz) FROM PUBLIC;
"""

SET_ASIDE = """
ALTER TABLE byline_audit_entry RENAME TO byline_audit_entry_old;
ALTER TABLE byline_audit_entry_old DROP CONSTRAINT byline_audit_entry_pkey;
DROP INDEX byline_audit_entry_subject, byline_audit_entry_txid;
"""

SPLIT = (
    SET_ASIDE
    + """
ALTER TABLE byline_audit_entry_old ALTER id DROP IDENTITY IF EXISTS;
CREATE SEQUENCE byline_audit_entry_id_seq;
SELECT setval('byline_audit_entry_id_seq', coalesce(max(id), 1), max(id) IS NOT NULL)
    FROM byline_audit_entry_old;
CREATE TABLE byline_audit_entry (
    id bigint NOT NULL DEFAULT nextval('byline_audit_entry_id_seq'),
    kind varchar(100) NOT NULL,
    subject varchar(200) NOT NULL,
    actor varchar(200) NOT NULL,
    payload jsonb NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    txid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    CONSTRAINT byline_audit_entry_bounded CHECK (octet_length(payload::text) <= 262144),
    PRIMARY KEY (id, created)
) PARTITION BY RANGE (created);
ALTER SEQUENCE byline_audit_entry_id_seq OWNED BY byline_audit_entry.id;
CREATE TABLE byline_audit_entry_default PARTITION OF byline_audit_entry DEFAULT;
"""
    + PARTITIONS
    + """
SELECT byline_audit_guard('byline_audit_entry_default');
SELECT byline_audit_add_partitions(8, coalesce((SELECT min(created) FROM byline_audit_entry_old), now()));
INSERT INTO byline_audit_entry (id, kind, subject, actor, payload, created, txid)
    SELECT id, kind, subject, actor, payload, created, txid FROM byline_audit_entry_old;
DROP TABLE byline_audit_entry_old;
CREATE INDEX byline_audit_entry_subject ON byline_audit_entry (subject, id);
CREATE INDEX byline_audit_entry_txid ON byline_audit_entry (txid, id);

-- The time decides the partition before a trigger runs, so a false one can only be refused or put right
-- within its quarter. The app has no right to write either column.
CREATE OR REPLACE FUNCTION byline_audit_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.created > clock_timestamp() OR NEW.created < clock_timestamp() - interval '1 second' THEN
        NEW.created := clock_timestamp();
    END IF;
    NEW.txid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
"""
)

GUARDS = """
CREATE TRIGGER byline_audit_stamp BEFORE INSERT ON byline_audit_entry
    FOR EACH ROW EXECUTE FUNCTION byline_audit_stamp();
ALTER TABLE byline_audit_entry ENABLE ALWAYS TRIGGER byline_audit_stamp;
"""

GUARD = """
CREATE TRIGGER byline_audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION byline_audit_refuse();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER byline_audit_refuse;
REVOKE ALL ON {table} FROM PUBLIC;
"""

GRANTS = """
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['byline_app', 'byline_sealer'] LOOP
        CONTINUE WHEN role = current_user OR NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role);
        EXECUTE format('REVOKE ALL ON byline_audit_entry, byline_audit_cosignature FROM %I', role);
        EXECUTE format('GRANT SELECT ON byline_audit_entry, byline_audit_cosignature TO %I', role);
        IF role = 'byline_app' THEN
            EXECUTE format('GRANT INSERT (kind, subject, actor, payload) ON byline_audit_entry TO %I', role);
            EXECUTE format('GRANT USAGE ON SEQUENCE byline_audit_entry_id_seq TO %I', role);
            EXECUTE format('REVOKE UPDATE ON byline_audit_pseudonym FROM %I', role);
        ELSE
            EXECUTE format('GRANT INSERT ON byline_audit_cosignature TO %I', role);
            EXECUTE format('GRANT USAGE ON SEQUENCE byline_audit_cosignature_id_seq TO %I', role);
        END IF;
    END LOOP;
END $$;
"""

JOIN = (
    SET_ASIDE
    + """
ALTER TABLE byline_audit_entry_old ALTER id DROP DEFAULT;
DROP SEQUENCE byline_audit_entry_id_seq;
CREATE TABLE byline_audit_entry (
    id bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind varchar(100) NOT NULL,
    subject varchar(200) NOT NULL,
    actor varchar(200) NOT NULL,
    payload jsonb NOT NULL,
    created timestamptz NOT NULL,
    txid bigint NOT NULL,
    CONSTRAINT byline_audit_entry_bounded CHECK (octet_length(payload::text) <= 262144)
);
INSERT INTO byline_audit_entry
    SELECT id, kind, subject, actor, payload, created, txid FROM byline_audit_entry_old;
SELECT setval('byline_audit_entry_id_seq', coalesce(max(id), 1), max(id) IS NOT NULL) FROM byline_audit_entry;
DROP TABLE byline_audit_entry_old;
CREATE INDEX byline_audit_entry_subject ON byline_audit_entry (subject, id);
CREATE INDEX byline_audit_entry_txid ON byline_audit_entry (txid, id);
DROP FUNCTION byline_audit_add_partitions(integer, timestamptz);
DROP FUNCTION byline_audit_guard(regclass);
"""
    + GUARDS
    + GUARD.format(table="byline_audit_entry")
)


class Migration(migrations.Migration):
    dependencies = [("byline_audit", "0003_cosignature_pseudonym")]

    operations = [
        migrations.RunSQL(
            SPLIT
            + GUARDS
            + GUARD.format(table="byline_audit_entry")
            + GUARD.format(table="byline_audit_cosignature")
            + GRANTS,
            reverse_sql=JOIN,
        )
    ]
